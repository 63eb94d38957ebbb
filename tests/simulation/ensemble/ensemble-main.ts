import { parseArgs } from "node:util";
import { KINDS, drawProfile } from "./profile.ts";
import { RunFailure, simulate } from "./simulation.ts";
import { Totals } from "./totals.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    "from-seed": { type: "string", default: "1" },
    runs: { type: "string", default: "20" },
    minutes: { type: "string" },
    profile: { type: "string" },
    "until-violation": { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
  },
});

const kind = KINDS.find((each) => each === values.profile) ?? null;
if (kind === null && values.profile !== undefined) {
  throw new Error(`there is no profile ${values.profile}; there are ${KINDS.join(", ")}`);
}
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const first = Number(values.seed ?? values["from-seed"]);
const runsMax =
  values.seed !== undefined ? 1 : values.minutes === undefined ? Number(values.runs) : Infinity;
const untilMs = performance.now() + Number(values.minutes ?? Infinity) * 60_000;
const totals = new Totals();
const isOver = (): boolean =>
  totals.runs >= runsMax ||
  performance.now() >= untilMs ||
  (values["until-violation"] && totals.violations > 0);
for (let seed = first; !isOver(); seed += 1) {
  try {
    const result = await simulate(drawProfile(seed, kind), values.trace ? print : null);
    totals.add(result);
    if (values.seed !== undefined)
      print(JSON.stringify({ ...result, faults: Object.fromEntries(result.faults) }));
  } catch (error) {
    if (!(error instanceof RunFailure)) throw error;
    totals.addViolation();
    if (values.seed !== undefined && !values.trace)
      for (const line of error.lines.slice(-120)) print(line);
    print(error.message);
    const flag = kind === null ? "" : ` --profile ${kind}`;
    print(`again: npm run sim -- --seed ${seed}${flag}`);
  }
}
for (const line of totals.lines(process.cpuUsage())) print(line);
process.exitCode = totals.violations > 0 ? 1 : 0;
