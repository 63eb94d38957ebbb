import { join } from "node:path";
import { headCommit } from "../commit.ts";
import { PointCounts, WATCHED_PACKAGES } from "../point-counts.ts";
import { appendRecord } from "../record.ts";
import { readFlags, SEED_OPTIONS, seedsOf, wrongUsage } from "../simulator-flags.ts";
import { readPlan, writePlan, type Plan } from "./plan.ts";
import { KINDS, drawProfile } from "./profile.ts";
import { describeFaults, shrink } from "./shrink.ts";
import { RunFailure, simulate, type RunResult } from "./simulation.ts";
import { Totals } from "./totals.ts";
import type { Print } from "./trace.ts";

const RUNS = 20;
/** Of a run that failed: what happened last. */
const LAST_LINES = 60;
const flags = readFlags({
  ...SEED_OPTIONS,
  profile: { type: "string" },
  trace: { type: "boolean", default: false },
  plan: { type: "string" },
  "core-traces": { type: "string" },
  shrink: { type: "boolean", default: false },
  "shrink-seconds": { type: "string", default: "60" },
  "shrink-runs": { type: "string", default: "Infinity" },
});

const kind = KINDS.find((each) => each === flags.profile) ?? null;
if (kind === null && flags.profile !== undefined) {
  wrongUsage(`There is no profile ${flags.profile}; there are ${KINDS.join(", ")}`);
}
// Whoever reads may have enough, as `head` has.
process.stdout.once("error", () => process.exit());
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const planned = flags.plan === undefined ? null : readPlan(flags.plan);
const isSingle = planned !== null || flags.seed !== undefined;
// What the cores do is most of a trace, and told only if it is asked for.
const tell: Print = (line, isDetail) => {
  if (flags.trace || !isDetail) print(line);
};
const shown = isSingle || flags.trace ? tell : null;
const chosen = planned === null ? flags : { ...flags, seed: String(planned.profile.seed) };
const folder = flags["core-traces"];
const totals = new Totals();
const points = new PointCounts(WATCHED_PACKAGES);
for (const seed of seedsOf(chosen, RUNS, () => totals.violations > 0)) {
  const profile = planned?.profile ?? drawProfile(seed, kind);
  try {
    const traces = folder === undefined ? null : join(folder, `seed-${seed}`);
    const result = await simulate(profile, shown, planned?.faults ?? null, traces);
    totals.add(profile, result);
    if (isSingle) print(describeResult(result));
  } catch (error) {
    if (!(error instanceof RunFailure)) throw error;
    totals.addViolation();
    if (shown === null) for (const line of error.lines.slice(-LAST_LINES)) print(line);
    print(error.message);
    print(`commit: ${headCommit()}`);
    const flag = kind === null ? "" : ` --profile ${kind}`;
    const again = flags.plan === undefined ? `--seed ${seed}${flag}` : `--plan ${flags.plan}`;
    print(`again: npm run sim -- ${again}`);
    if (flags.shrink) await shrinkOne({ profile, faults: error.happened });
  }
}
for (const line of points.lines(flags.points)) print(line);
for (const line of totals.lines(process.cpuUsage())) print(line);
if (flags.record) appendRecord("sim", totals, process.argv.slice(2));
process.exitCode = totals.violations > 0 ? 1 : 0;

function describeResult({ happened, ...rest }: RunResult): string {
  const faults = { ...Object.fromEntries(rest.faults), all: happened.length };
  return JSON.stringify({ ...rest, faults });
}

async function shrinkOne(plan: Plan): Promise<void> {
  const budgetMs = Number(flags["shrink-seconds"]) * 1_000;
  const runsMax = Number(flags["shrink-runs"]);
  const shrunk = await shrink(plan, { budgetMs, runsMax, print });
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
