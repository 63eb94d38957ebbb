import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { formatTime, formatVerdicts } from "./format-verdicts.ts";
import { huntMutant, type MutantVerdict } from "./hunt-mutant.ts";

/*
 * Every patch of a folder is one broken rule. Each is applied to a copy of the tree, and the simulator hunts it with the
 * profiles and seeds that it runs by itself, until it finds a violation or its time is over.
 */
const { values } = parseArgs({
  options: {
    dir: { type: "string", default: "tests/simulation/mutants" },
    only: { type: "string" },
    minutes: { type: "string", default: "3" },
  },
});
const directory = resolve(values.dir);
const chosen = values.only === undefined ? null : new Set(values.only.split(",").map(Number));
const patches = readdirSync(directory)
  .filter((name) => name.endsWith(".patch"))
  .filter((name) => chosen === null || chosen.has(Number.parseInt(name, 10)))
  .sort();
const verdicts: MutantVerdict[] = [];
for (const name of patches) {
  process.stderr.write(`${name} … `);
  const verdict = await huntMutant(join(directory, name), { minutes: Number(values.minutes) });
  verdicts.push(verdict);
  process.stderr.write(`${verdict.kind}, ${formatTime(verdict)}\n`);
}
process.stdout.write(formatVerdicts(verdicts));
process.exitCode = verdicts.every(({ kind }) => kind === "found") && verdicts.length > 0 ? 0 : 1;
