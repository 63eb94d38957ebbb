import { basename } from "node:path";
import { ofProcess, runProgram } from "../command-line.ts";
import { formatTime, formatVerdicts } from "./format-verdicts.ts";
import { huntMutant, type MutantVerdict } from "./hunt-mutant.ts";
import { MUTANTS, type MutantsOptions } from "./mutants-flags.ts";

process.exitCode = await runProgram(MUTANTS, process.argv.slice(2), ofProcess(huntAll));

async function huntAll({ patches, minutes }: MutantsOptions): Promise<number> {
  const verdicts: MutantVerdict[] = [];
  for (const patch of patches) {
    process.stderr.write(`${basename(patch)} … `);
    const verdict = await huntMutant(patch, { minutes });
    verdicts.push(verdict);
    process.stderr.write(`${verdict.kind}, ${formatTime(verdict)}\n`);
  }
  process.stdout.write(formatVerdicts(verdicts));
  return verdicts.every(({ kind }) => kind === "found") ? 0 : 1;
}
