import { join } from "node:path";
import { parseArgs } from "node:util";
import { PointCounts, WATCHED_PACKAGES } from "../point-counts.ts";
import { readPlan, writePlan, type Plan } from "./plan.ts";
import { KINDS, drawProfile } from "./profile.ts";
import { appendRecord } from "./record.ts";
import { describeFaults, shrink } from "./shrink.ts";
import { RunFailure, simulate, type RunResult } from "./simulation.ts";
import { Totals } from "./totals.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    "from-seed": { type: "string", default: "1" },
    runs: { type: "string", default: "20" },
    minutes: { type: "string" },
    profile: { type: "string" },
    plan: { type: "string" },
    "until-violation": { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
    "core-traces": { type: "string" },
    specification: { type: "boolean", default: false },
    shrink: { type: "boolean", default: false },
    "shrink-seconds": { type: "string", default: "60" },
    "shrink-runs": { type: "string", default: "Infinity" },
    record: { type: "boolean", default: false },
    points: { type: "boolean", default: false },
  },
});

const kind = KINDS.find((each) => each === values.profile) ?? null;
if (kind === null && values.profile !== undefined) {
  throw new Error(`there is no profile ${values.profile}; there are ${KINDS.join(", ")}`);
}
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const planned = values.plan === undefined ? null : readPlan(values.plan);
const isSingle = planned !== null || values.seed !== undefined;
const first = planned?.profile.seed ?? Number(values.seed ?? values["from-seed"]);
const runsMax = isSingle ? 1 : values.minutes === undefined ? Number(values.runs) : Infinity;
const untilMs = performance.now() + Number(values.minutes ?? Infinity) * 60_000;
const folder = values["core-traces"];
const totals = new Totals();
const points = new PointCounts(WATCHED_PACKAGES);
const isOver = (): boolean =>
  totals.runs >= runsMax ||
  performance.now() >= untilMs ||
  (values["until-violation"] && totals.violations > 0);
for (let seed = first; !isOver(); seed += 1) {
  const profile = planned?.profile ?? drawProfile(seed, kind);
  try {
    const traces = folder === undefined ? undefined : join(folder, `seed-${seed}`);
    const cores = { traces, isHeld: values.specification };
    const shown = values.trace ? print : null;
    const result = await simulate(profile, shown, planned?.faults ?? null, cores);
    totals.add(profile, result);
    if (isSingle) print(describeResult(result));
  } catch (error) {
    if (!(error instanceof RunFailure)) throw error;
    totals.addViolation();
    if (isSingle && !values.trace) for (const line of error.lines.slice(-120)) print(line);
    print(error.message);
    const flag = kind === null ? "" : ` --profile ${kind}`;
    const again = values.plan === undefined ? `--seed ${seed}${flag}` : `--plan ${values.plan}`;
    print(`again: npm run sim -- ${again}`);
    if (values.shrink) await shrinkOne({ profile, faults: error.happened });
  }
}
for (const line of points.lines(values.points)) print(line);
for (const line of totals.lines(process.cpuUsage())) print(line);
if (values.record) appendRecord(totals, process.argv.slice(2));
process.exitCode = totals.violations > 0 ? 1 : 0;

function describeResult({ happened, ...rest }: RunResult): string {
  const faults = { ...Object.fromEntries(rest.faults), all: happened.length };
  return JSON.stringify({ ...rest, faults });
}

async function shrinkOne(plan: Plan): Promise<void> {
  const budgetMs = Number(values["shrink-seconds"]) * 1_000;
  const runsMax = Number(values["shrink-runs"]);
  const shrunk = await shrink(plan, { budgetMs, runsMax, print });
  if (shrunk === null) {
    print("shrink: the same faults at the same times do not fail again");
    return;
  }
  const file = `.cache/simulation/plan-${plan.profile.seed}.json`;
  writePlan(file, shrunk.plan);
  for (const line of describeFaults(shrunk.plan.faults)) print(line);
  print(shrunk.failure.message);
  print(`again: npm run sim -- --plan ${file}`);
}
