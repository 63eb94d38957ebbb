import type { DriverProcess } from "../driver-process.ts";
import type { Ensemble } from "../ensemble.ts";
import { Histogram } from "../histogram.ts";
import { machineCpuSeconds } from "../process-usage.ts";
import type { DriverEvent, RunOrder, RunResult } from "../protocol.ts";
import { SESSION_TIMEOUT_MS } from "./run-context.ts";

const BYTES_PER_MIB = 1 << 20;
/** Kernel threads that write to the disk and this harness take something always. */
const OTHERS_SHARE_MAX = 0.3;

/** What several driver processes measured together. */
export interface DrivenLoad {
  readonly latencies: Histogram;
  readonly perSecond: number;
  readonly longestGapMs: number;
  readonly serverCpuSeconds: number;
  readonly driverCpuSeconds: number;
  readonly serverRssBytes: number;
  readonly problems: readonly string[];
  readonly notes: readonly string[];
  /** Among the problems: a driver process was as good as a core busy. */
  readonly isDriverBound: boolean;
}

/** Sessions number 0 to `sessions` - 1 evenly over the servers, and evenly over the drivers. */
export async function connectDrivers(
  drivers: readonly DriverProcess[],
  servers: readonly string[],
  sessions: number,
  sessionTimeoutMs: number = SESSION_TIMEOUT_MS,
): Promise<void> {
  const all = Array.from({ length: sessions }, (_, at) => servers[at % servers.length] ?? "");
  const perDriver = Math.ceil(sessions / drivers.length);
  await Promise.all(
    drivers.map((driver, at) =>
      driver.ask({
        command: "connect",
        servers: all.slice(at * perDriver, (at + 1) * perDriver),
        sessionTimeoutMs,
      }),
    ),
  );
}

export interface LoadOptions {
  readonly drivers: readonly DriverProcess[];
  readonly ensemble: Ensemble;
  readonly order: RunOrder;
  /** A driver that used this share of a core or more makes the figures invalid. */
  readonly cpuShareMax: number;
  /** Told once, when the first driver begins and ends measuring. */
  readonly onPhase?: (phase: DriverEvent) => void;
}

/** Has all drivers do the same at the same time and adds up what they found. */
export async function driveLoad(options: LoadOptions): Promise<DrivenLoad> {
  const { drivers, ensemble, order, cpuShareMax, onPhase } = options;
  const serverCpu = new Stopwatch(() => ensemble.cpuSeconds());
  const machineCpu = new Stopwatch(machineCpuSeconds);
  let serverRssBytes = 0;
  const driven = await Promise.all(
    drivers.map(async (driver, at) => {
      const driverCpu = new Stopwatch(() => driver.cpuSeconds());
      const share = { ...order, ratePerSecond: order.ratePerSecond / drivers.length };
      const result = await driver.ask(share, (event) => {
        driverCpu.press();
        if (at > 0) return;
        serverCpu.press();
        machineCpu.press();
        if (event === "measured") serverRssBytes = ensemble.anonymousBytes();
        onPhase?.(event);
      });
      return { result, cpuSeconds: driverCpu.elapsed };
    }),
  );
  const latencies = new Histogram();
  for (const { result } of driven) latencies.addBuckets(result.histogram);
  const bound = countBound(
    driven.map(({ result, cpuSeconds }) => (cpuSeconds * 1000) / result.elapsedMs),
    cpuShareMax,
  );
  const ended = ensemble.endedNodes();
  const driverCpuSeconds = sum(driven.map(({ cpuSeconds }) => cpuSeconds));
  return {
    latencies,
    perSecond: sum(driven.map(({ result }) => (result.count * 1000) / result.elapsedMs)),
    // A time without any write is one for every driver, so the shortest of theirs is the nearest bound.
    longestGapMs: Math.min(...driven.map(({ result }) => result.longestGapMs)),
    serverCpuSeconds: serverCpu.elapsed,
    driverCpuSeconds,
    serverRssBytes,
    problems: [
      ...driven.flatMap(({ result }) => problemsOf(result)),
      ...boundProblem(bound, drivers.length),
      ...ended.map(({ number }) => `node ${number} ended under the load`),
    ],
    notes: othersNote({
      cpuSeconds: machineCpu.elapsed - serverCpu.elapsed - driverCpuSeconds,
      elapsedMs: driven[0]?.result.elapsedMs ?? Number.NaN,
    }),
    isDriverBound: bound > 0,
  };
}

/** Whether processes that have no part in a run disturbed it: such figures are not to be quoted. */
export function othersNote(used: {
  readonly cpuSeconds: number;
  readonly elapsedMs: number;
}): readonly string[] {
  const share = (used.cpuSeconds * 1000) / used.elapsedMs;
  return share >= OTHERS_SHARE_MAX
    ? [`others used ${Math.round(share * 100)} % of a core while it measured`]
    : [];
}

/** How many of these shares of a core are as much as `shareMax`. */
export function countBound(shares: readonly number[], shareMax: number): number {
  return shares.filter((share) => share >= shareMax).length;
}

/** What that means for the figures. */
export function boundProblem(bound: number, processes: number): readonly string[] {
  return bound === 0 ? [] : [`driver bound by CPU: ${bound} of ${processes} processes`];
}

/** Bytes as MiB. */
export function mebibytes(bytes: number): number {
  return bytes / BYTES_PER_MIB;
}

function problemsOf({ errors, firstError, count }: RunResult): readonly string[] {
  if (errors > 0) return [`${errors} operations failed: ${firstError ?? "?"}`];
  return count === 0 ? ["no operation ended while measuring"] : [];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** What was used between the first and the last press. */
class Stopwatch {
  readonly #read: () => number;
  #first: number | null = null;
  #last = 0;

  constructor(read: () => number) {
    this.#read = read;
  }

  get elapsed(): number {
    return this.#first === null ? 0 : this.#last - this.#first;
  }

  press(): void {
    this.#last = this.#read();
    this.#first ??= this.#last;
  }
}
