import { Bench } from "tinybench";
import type { MicroCase } from "./micro-case.ts";
import type { MicroResult } from "./micro-table.ts";

const NANOSECONDS_PER_MS = 1e6;

/** How long each case is warmed up and measured. */
export interface MicroTimes {
  readonly warmUpMs: number;
  readonly measureMs: number;
}

/** Runs every case by itself. Figures are medians: what else the machine does in between does not count. */
export async function runCases(
  cases: readonly MicroCase[],
  { warmUpMs, measureMs }: MicroTimes,
): Promise<readonly MicroResult[]> {
  const results: MicroResult[] = [];
  for (const { name, operations, run } of cases) {
    const bench = new Bench({
      time: measureMs,
      warmupTime: warmUpMs,
      iterations: 10,
      warmupIterations: 1,
      throws: true,
    });
    bench.add(name, run);
    const [task] = await bench.run();
    if (task?.result.state !== "completed") throw new Error(`${name} did not come to its end`);
    const nanoseconds = (task.result.latency.p50 * NANOSECONDS_PER_MS) / operations;
    results.push({ name, nanoseconds });
  }
  return results;
}
