import type { MutantVerdict } from "./hunt-mutant.ts";

const WHAT_WIDTH = 90;

/** One line for each mutant, and the sum. */
export function formatVerdicts(verdicts: readonly MutantVerdict[]): string {
  const width = Math.max(...verdicts.map(({ name }) => name.length), 0);
  const lines = verdicts.map(({ name, kind, what, seconds, runs }) => {
    const time = kind === "stale" ? "" : `${seconds.toFixed(1)} s, ${runs} runs`;
    return `${name.padEnd(width)}  ${kind.padEnd(8)}  ${time.padEnd(20)}  ${what.slice(0, WHAT_WIDTH)}`.trimEnd();
  });
  const found = verdicts.filter(({ kind }) => kind === "found").length;
  return `${lines.join("\n")}\nmutants: ${found} of ${verdicts.length} found\n`;
}
