import { PointCounts } from "./point-counts.ts";
import { drawProfile } from "./raft-core-profile.ts";
import { RunFailure, Simulator } from "./raft-core-simulator.ts";
import { measureThroughput } from "./raft-core-throughput.ts";

/**
 * Runs seed `--seed N` and the next ones, `--runs K` in all, and ends with one line; stops after `--failures F` (default 1).
 * With `--trace` a failure tells its last steps, with `--points` every point its count; `--throughput` measures the core
 * instead. Exit code 1 if a run failed.
 */
function main(args: readonly string[]): number {
  if (args.includes("--throughput")) {
    for (const line of measureThroughput()) console.log(line);
    return 0;
  }
  const numberAfter = (name: string, fallback: number): number => {
    const at = args.indexOf(name);
    return at === -1 ? fallback : Number(args[at + 1]);
  };
  const first = numberAfter("--seed", 1);
  const runs = numberAfter("--runs", 1);
  const stopAfter = numberAfter("--failures", 1);
  const isTraced = args.includes("--trace");
  const started = performance.now();
  using points = new PointCounts(["raft"]);
  let failures = 0;
  let done = 0;
  const totals = { events: 0, elections: 0, committed: 0, reads: 0, crashes: 0, simulatedUs: 0 };
  for (let seed = first; seed < first + runs && failures < stopAfter; seed += 1) {
    done += 1;
    try {
      const result = new Simulator(drawProfile(seed), { isTraced }).run();
      totals.events += result.events;
      totals.elections += result.elections;
      totals.committed += result.committed;
      totals.reads += result.reads;
      totals.crashes += result.crashes;
      totals.simulatedUs += result.simulatedUs;
    } catch (error) {
      if (!(error instanceof RunFailure)) throw error;
      failures += 1;
      console.error(error.message);
    }
  }
  for (const line of points.lines(args.includes("--points"))) console.log(line);
  const seconds = (performance.now() - started) / 1_000;
  const cpuSeconds = process.cpuUsage().user / 1e6;
  console.log(
    `${done} runs, ${failures} failed, ${seconds.toFixed(1)} s (${cpuSeconds.toFixed(1)} s CPU): ` +
      `${(totals.simulatedUs / 60e6).toFixed(1)} simulated min, ${totals.events} events, ` +
      `${totals.elections} elections, ${totals.committed} committed, ${totals.reads} reads, ` +
      `${totals.crashes} crashes`,
  );
  return failures === 0 ? 0 : 1;
}

process.exitCode = main(process.argv.slice(2));
