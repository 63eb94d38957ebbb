import { randomBytes, randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Histogram } from "./histogram.ts";

/** What each of the outstanding requests does; `at` is the path's index. */
export type Operation<Client> = (client: Client, path: string, at: number) => Promise<unknown>;

export interface ClosedLoopOptions<Client> {
  readonly clients: readonly Client[];
  /** Requests outstanding at each client. */
  readonly depth: number;
  readonly paths: readonly string[];
  readonly operation: Operation<Client>;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Told when the part that counts begins and ends. */
  readonly onPhase?: (phase: "measuring" | "measured") => void;
}

export interface ClosedLoopResult {
  readonly perSecond: number;
  readonly count: number;
  readonly elapsedMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly latencies: Histogram;
  readonly errors: number;
  readonly firstError: string | null;
  /** CPU of this process while measuring, as a share of one core. */
  readonly driverCpuShare: number;
}

/** Prime, so that a walk in such steps visits every one of 10,000 paths. */
const PATH_STEP = 7919;

/** Keeps `depth` requests outstanding at every client: the next starts when one is answered. */
export async function runClosedLoop<Client>(
  options: ClosedLoopOptions<Client>,
): Promise<ClosedLoopResult> {
  const { clients, depth, paths, operation, warmUpMs, measureMs, onPhase } = options;
  const latencies = new Histogram();
  let measuring = false;
  let running = true;
  let errors = 0;
  let firstError: string | null = null;
  const worker = async (client: Client): Promise<void> => {
    let at = randomInt(paths.length);
    while (running) {
      at = (at + PATH_STEP) % paths.length;
      const started = performance.now();
      try {
        await operation(client, paths[at] ?? "/", at);
        if (measuring) latencies.addMs(performance.now() - started);
      } catch (error) {
        errors += 1;
        firstError ??= String(error);
      }
    }
  };
  const workers = clients.flatMap((client) => Array.from({ length: depth }, () => worker(client)));
  await sleep(warmUpMs);
  measuring = true;
  onPhase?.("measuring");
  const cpu = process.cpuUsage();
  const started = performance.now();
  await sleep(measureMs);
  const elapsedMs = performance.now() - started;
  const used = process.cpuUsage(cpu);
  measuring = false;
  running = false;
  onPhase?.("measured");
  await Promise.all(workers);
  return {
    perSecond: (latencies.total * 1000) / elapsedMs,
    count: latencies.total,
    elapsedMs,
    p50Ms: latencies.percentileMs(0.5),
    p99Ms: latencies.percentileMs(0.99),
    latencies,
    errors,
    firstError,
    driverCpuShare: (used.user + used.system) / 1000 / elapsedMs,
  };
}

/** Values of this size that nothing can compress; a new one for every call, out of a pool. */
export function randomValues(bytes: number): () => Uint8Array {
  const pool = randomPool(bytes, 1024);
  let at = 0;
  return () => {
    at = (at + 1) % pool.length;
    return pool[at] ?? new Uint8Array(bytes);
  };
}

/** `count` random values. */
export function randomPool(bytes: number, count: number): readonly Uint8Array[] {
  return Array.from({ length: count }, () => new Uint8Array(randomBytes(bytes)));
}
