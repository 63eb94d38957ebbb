import { parseArgs } from "node:util";
import { KINDS, drawProfile } from "./profile.ts";
import { RunFailure, simulate } from "./simulation.ts";

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
let runs = 0;
let violations = 0;
let simulatedMs = 0;
let events = 0;
let operations = 0;
const faults = new Map<string, number>();
const isOver = (): boolean =>
  runs >= runsMax || performance.now() >= untilMs || (values["until-violation"] && violations > 0);
for (let seed = first; !isOver(); seed += 1) {
  runs += 1;
  try {
    const result = await simulate(drawProfile(seed, kind), values.trace ? print : null);
    simulatedMs += result.simulatedMs;
    events += result.events;
    operations += result.operations + result.increments;
    for (const [fault, count] of result.faults) {
      faults.set(fault, (faults.get(fault) ?? 0) + count);
    }
    if (values.seed !== undefined)
      print(JSON.stringify({ ...result, faults: Object.fromEntries(result.faults) }));
  } catch (error) {
    if (!(error instanceof RunFailure)) throw error;
    violations += 1;
    if (values.seed !== undefined && !values.trace)
      for (const line of error.lines.slice(-120)) print(line);
    print(error.message);
    const flag = kind === null ? "" : ` --profile ${kind}`;
    print(`again: npm run sim -- --seed ${seed}${flag}`);
  }
}
const told = [...faults].sort(([a], [b]) => (a < b ? -1 : 1));
print(`faults: ${told.map(([fault, count]) => `${fault} ${count}`).join(", ")}`);
const { user, system } = process.cpuUsage();
print(
  `${(simulatedMs / 1000 / ((user + system) / 1e6)).toFixed(0)} simulated seconds a second of CPU`,
);
print(
  `sim: ${runs} runs, ${(simulatedMs / 3_600_000).toFixed(2)} simulated hours, ${events} events, ${operations} client ops checked, ${violations} violations`,
);
process.exitCode = violations > 0 ? 1 : 0;
