import { headCommit } from "../commit.ts";
import { PointCounts } from "../point-counts.ts";
import { appendRecord } from "../record.ts";
import { readFlags, SEED_OPTIONS, seedsOf } from "../simulator-flags.ts";
import { runSeed as run } from "./run-seed.ts";
import { RunFailure } from "./simulator.ts";
import { measureThroughput } from "./throughput.ts";
import { Totals } from "./totals.ts";

/*
 * Cores alone under faults. A failure tells its seed and its last steps; --throughput measures the core instead.
 */
const RUNS = 500;
const flags = readFlags({ ...SEED_OPTIONS, throughput: { type: "boolean", default: false } });
process.exitCode = flags.throughput ? showThroughput() : simulate();

function showThroughput(): number {
  for (const line of measureThroughput()) console.log(line);
  return 0;
}

function simulate(): number {
  const points = new PointCounts(["raft"]);
  const totals = new Totals();
  for (const seed of seedsOf(flags, RUNS, () => totals.violations > 0)) runSeed(seed, totals);
  for (const line of points.lines(flags.points)) console.log(line);
  for (const line of totals.lines(process.cpuUsage())) console.log(line);
  if (flags.record) appendRecord("sim:core", totals, process.argv.slice(2));
  return totals.violations === 0 ? 0 : 1;
}

function runSeed(seed: number, totals: Totals): void {
  try {
    totals.add(run(seed));
  } catch (error) {
    if (!(error instanceof RunFailure)) throw error;
    totals.addViolation();
    console.log(error.message);
    console.log(`commit: ${headCommit()}`);
    console.log(`again: npm run sim:core -- --seed ${seed}`);
  }
}
