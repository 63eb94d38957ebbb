import { parseArgs } from "node:util";
import { PointCounts } from "./point-counts.ts";
import { drawProfile } from "./raft-core-profile.ts";
import { RunFailure, Simulator, type RunResult } from "./raft-core-simulator.ts";
import { measureThroughput } from "./raft-core-throughput.ts";

/*
 * The core alone, three to seven of it, under faults. A failure tells its seed, and with --trace its last steps; --throughput
 * measures the core instead.
 */
const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    "from-seed": { type: "string", default: "1" },
    runs: { type: "string", default: "500" },
    minutes: { type: "string" },
    "until-violation": { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
    points: { type: "boolean", default: false },
    throughput: { type: "boolean", default: false },
  },
});
process.exitCode = values.throughput ? showThroughput() : simulate();

function showThroughput(): number {
  for (const line of measureThroughput()) console.log(line);
  return 0;
}

function simulate(): number {
  const first = Number(values.seed ?? values["from-seed"]);
  const runsMax = values.minutes === undefined ? Number(values.runs) : Infinity;
  const end = values.seed === undefined ? first + runsMax : first + 1;
  const untilMs = performance.now() + Number(values.minutes ?? Infinity) * 60_000;
  const points = new PointCounts(["raft"]);
  const done: RunResult[] = [];
  let violations = 0;
  for (let seed = first; seed < end && performance.now() < untilMs; seed += 1) {
    const result = runSeed(seed);
    if (result !== null) done.push(result);
    else violations += 1;
    if (violations > 0 && values["until-violation"]) break;
  }
  for (const line of points.lines(values.points)) console.log(line);
  for (const line of totalsOf(done, violations)) console.log(line);
  return violations === 0 ? 0 : 1;
}

function runSeed(seed: number): RunResult | null {
  try {
    return new Simulator(drawProfile(seed), { isTraced: values.trace }).run();
  } catch (error) {
    if (!(error instanceof RunFailure)) throw error;
    console.log(error.message);
    console.log(`again: npm run sim:core -- --seed ${seed} --trace`);
    return null;
  }
}

/** The last line is for programs as well, and as the ensemble simulator's. */
function totalsOf(done: readonly RunResult[], violations: number): readonly string[] {
  const sum = (of: (result: RunResult) => number): number =>
    done.reduce((total, result) => total + of(result), 0);
  const simulatedSeconds = sum(({ simulatedUs }) => simulatedUs) / 1e6;
  const { user, system } = process.cpuUsage();
  const speed = simulatedSeconds / ((user + system) / 1e6);
  const elections = sum((result) => result.elections);
  const crashes = sum((result) => result.crashes);
  const asked = sum(({ committed, reads }) => committed + reads);
  return [
    `${elections} elections, ${crashes} crashes; ${speed.toFixed(0)} simulated seconds a second of CPU`,
    `sim: ${done.length + violations} runs, ${(simulatedSeconds / 3_600).toFixed(2)} simulated hours, ` +
      `${sum(({ events }) => events)} events, ${asked} client ops checked, ${violations} violations`,
  ];
}
