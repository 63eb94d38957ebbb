import { join } from "node:path";
import { ofProcess, runProgram } from "../command-line.ts";
import { headCommit } from "../commit.ts";
import { PointCounts, WATCHED_PACKAGES } from "../point-counts.ts";
import { appendRecord } from "../record.ts";
import { pointsTold, seedsOf } from "../simulator-flags.ts";
import { ENSEMBLE, type EnsembleOptions, type ShrinkBounds } from "./ensemble-flags.ts";
import { writePlan, type Plan } from "./plan.ts";
import { drawProfile } from "./profile.ts";
import { describeFaults, shrink } from "./shrink.ts";
import { RunFailure, simulate, type RunResult } from "./simulation.ts";
import { Totals } from "./totals.ts";
import type { Print } from "./trace.ts";

/** Of a run that failed: what happened last. */
const LAST_LINES = 60;

// Whoever reads may have enough, as `head` has.
process.stdout.once("error", () => process.exit());
process.exitCode = await runProgram(ENSEMBLE, process.argv.slice(2), ofProcess(runSeeds));

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function runSeeds(options: EnsembleOptions): Promise<number> {
  const { seeds } = options;
  const totals = new Totals();
  const points = new PointCounts(WATCHED_PACKAGES);
  for (const seed of seedsOf(seeds, () => totals.violations > 0)) {
    await runSeed(seed, options, totals);
  }
  for (const line of points.lines(pointsTold(seeds, totals.runs))) print(line);
  for (const line of totals.lines(process.cpuUsage())) print(line);
  if (seeds.isRecorded) appendRecord("sim", totals, process.argv.slice(2));
  return totals.violations > 0 ? 1 : 0;
}

async function runSeed(seed: number, options: EnsembleOptions, totals: Totals): Promise<void> {
  const { kind, planned, isSingle, withCores, traceFolder } = options;
  // What the cores do is most of a trace, and told only if it is asked for.
  const tell: Print = (line, isDetail) => {
    if (withCores || !isDetail) print(line);
  };
  const shown = isSingle || withCores ? tell : null;
  const profile = planned?.plan.profile ?? drawProfile(seed, kind);
  try {
    const traces = traceFolder === null ? null : join(traceFolder, `seed-${seed}`);
    const result = await simulate(profile, shown, planned?.plan.faults ?? null, traces);
    totals.add(profile, result);
    if (isSingle) print(describeResult(result));
  } catch (error) {
    if (!(error instanceof RunFailure)) throw error;
    totals.addViolation();
    if (shown === null) for (const line of error.lines.slice(-LAST_LINES)) print(line);
    print(error.message);
    print(`commit: ${headCommit()}`);
    const flag = kind === null ? "" : ` --profile ${kind}`;
    const again = planned === null ? `--seed ${seed}${flag}` : `--plan ${planned.file}`;
    print(`again: npm run sim -- ${again}`);
    if (options.shrink !== null) {
      await shrinkOne({ profile, faults: error.happened }, options.shrink);
    }
  }
}

function describeResult({ happened, ...rest }: RunResult): string {
  const faults = { ...Object.fromEntries(rest.faults), all: happened.length };
  return JSON.stringify({ ...rest, faults });
}

async function shrinkOne(plan: Plan, bounds: ShrinkBounds): Promise<void> {
  const shrunk = await shrink(plan, { ...bounds, print });
  if (shrunk === null) {
    print("shrink: the same faults at the same times do not fail again");
    return;
  }
  const file = `.cache/simulation/plan-${plan.profile.seed}.json`;
  writePlan(file, { breaks: shrunk.failure.rule, ...shrunk.plan });
  for (const line of describeFaults(shrunk.plan.faults)) print(line);
  print(shrunk.failure.message);
  print(`again: npm run sim -- --plan ${file}`);
}
