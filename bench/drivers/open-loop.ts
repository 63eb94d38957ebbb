import { setTimeout as sleep } from "node:timers/promises";
import { Histogram } from "../histogram.ts";

export interface OpenLoopOptions {
  readonly ratePerSecond: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Starts operation number `turn`. */
  readonly start: (turn: number) => Promise<unknown>;
  readonly onPhase: (phase: "measuring" | "measured") => void;
}

export interface OpenLoopResult {
  readonly count: number;
  readonly errors: number;
  readonly firstError: string | null;
  /** Until the last answer. */
  readonly elapsedMs: number;
  readonly latencies: Histogram;
}

const DRAIN_MS = 30_000;
const DRAIN_POLL_MS = 1;

/** Starts operations when they are due, answered or not; the latency of each counts from when it was due. */
export async function runOpenLoop(options: OpenLoopOptions): Promise<OpenLoopResult> {
  const { ratePerSecond, warmUpMs, measureMs, start, onPhase } = options;
  const latencies = new Histogram();
  const warmUp = Math.floor((ratePerSecond * warmUpMs) / 1000);
  const total = warmUp + Math.floor((ratePerSecond * measureMs) / 1000);
  let outstanding = 0;
  let errors = 0;
  let firstError: string | null = null;
  const failed = (error: unknown): void => {
    errors += 1;
    firstError ??= String(error);
  };
  const begin = performance.now();
  let measuredFrom = begin;
  const launch = async (turn: number): Promise<void> => {
    const due = begin + (turn * 1000) / ratePerSecond;
    outstanding += 1;
    try {
      await start(turn);
      if (turn >= warmUp) latencies.addMs(performance.now() - due);
    } catch (error) {
      failed(error);
    } finally {
      outstanding -= 1;
    }
  };
  for (let turn = 0; turn < total;) {
    const dueNow = Math.floor(((performance.now() - begin) * ratePerSecond) / 1000);
    for (; turn <= dueNow && turn < total; turn += 1) {
      if (turn === warmUp) {
        measuredFrom = performance.now();
        onPhase("measuring");
      }
      void launch(turn);
    }
    await sleep(1);
  }
  const until = performance.now() + DRAIN_MS;
  while (outstanding > 0 && performance.now() < until) await sleep(DRAIN_POLL_MS);
  const elapsedMs = performance.now() - measuredFrom;
  onPhase("measured");
  if (outstanding > 0) failed(`${outstanding} unanswered after ${DRAIN_MS} ms`);
  return { count: latencies.total, errors, firstError, elapsedMs, latencies };
}
