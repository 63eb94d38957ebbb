import { ofProcess, runProgram } from "../command-line.ts";
import { headCommit } from "../commit.ts";
import { PointCounts } from "../point-counts.ts";
import { appendRecord } from "../record.ts";
import { pointsTold, seedsOf, type SeedOptions } from "../simulator-flags.ts";
import { CORE } from "./raft-core-flags.ts";
import { runSeed as run } from "./run-seed.ts";
import { RunFailure } from "./simulator.ts";
import { measureThroughput } from "./throughput.ts";
import { Totals } from "./totals.ts";

const surroundings = ofProcess<ReturnType<typeof CORE.read>>(({ seeds, isMeasured }) =>
  isMeasured ? showThroughput() : simulate(seeds),
);
process.exitCode = await runProgram(CORE, process.argv.slice(2), surroundings);

function showThroughput(): number {
  for (const line of measureThroughput()) console.log(line);
  return 0;
}

function simulate(seeds: SeedOptions): number {
  const points = new PointCounts(["raft"]);
  const totals = new Totals();
  for (const seed of seedsOf(seeds, () => totals.violations > 0)) runSeed(seed, totals);
  for (const line of points.lines(pointsTold(seeds, totals.runs))) console.log(line);
  for (const line of totals.lines(process.cpuUsage())) console.log(line);
  if (seeds.isRecorded) appendRecord("sim:core", totals, process.argv.slice(2));
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
