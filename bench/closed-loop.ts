import { randomBytes, randomInt } from "node:crypto";
import type { QuorateClient } from "@quorate/client";
import { Samples } from "./samples.ts";

/** What each of the outstanding requests does. */
export type Operation = (client: QuorateClient, path: string) => Promise<unknown>;

export interface ClosedLoopOptions {
  readonly clients: readonly QuorateClient[];
  /** Requests outstanding at each client. */
  readonly depth: number;
  readonly paths: readonly string[];
  readonly operation: Operation;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface ClosedLoopResult {
  readonly perSecond: number;
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
  /** CPU of this process while measuring, as a share of one core. */
  readonly driverCpuShare: number;
}

/** Keeps `depth` requests outstanding at every client: the next starts when one is answered. */
export async function runClosedLoop(options: ClosedLoopOptions): Promise<ClosedLoopResult> {
  const { clients, depth, paths, operation, warmUpMs, measureMs } = options;
  const samples = new Samples();
  let measuring = false;
  let running = true;
  let errors = 0;
  const worker = async (client: QuorateClient): Promise<void> => {
    let at = randomInt(paths.length);
    while (running) {
      at = (at + 7919) % paths.length;
      const started = performance.now();
      try {
        await operation(client, paths[at] ?? "/");
        if (measuring) samples.add(performance.now() - started);
      } catch {
        errors += 1;
      }
    }
  };
  const workers = clients.flatMap((client) => Array.from({ length: depth }, () => worker(client)));
  await pause(warmUpMs);
  measuring = true;
  const cpu = process.cpuUsage();
  const started = performance.now();
  await pause(measureMs);
  const elapsedMs = performance.now() - started;
  const used = process.cpuUsage(cpu);
  measuring = false;
  running = false;
  await Promise.all(workers);
  const [p50Ms = Number.NaN, p99Ms = Number.NaN] = samples.percentiles([0.5, 0.99]);
  return {
    perSecond: (samples.count * 1000) / elapsedMs,
    count: samples.count,
    p50Ms,
    p99Ms,
    errors,
    driverCpuShare: (used.user + used.system) / 1000 / elapsedMs,
  };
}

/** Values of this size that nothing can compress; a new one for every call, out of a pool. */
export function randomValues(bytes: number): () => Uint8Array {
  const pool = Array.from({ length: 1024 }, () => new Uint8Array(randomBytes(bytes)));
  let at = 0;
  return () => {
    at = (at + 1) % pool.length;
    return pool[at] ?? new Uint8Array(bytes);
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
