import { counted } from "../counted.ts";
import type { MutantVerdict } from "./hunt-mutant.ts";

const WHAT_WIDTH = 90;

/** One line for each mutant, and the sum. */
export function formatVerdicts(verdicts: readonly MutantVerdict[]): string {
  const width = Math.max(...verdicts.map(({ name }) => name.length), 0);
  const lines = verdicts.map((verdict) => {
    const { name, kind, what, by } = verdict;
    const time = kind === "stale" ? "" : formatTime(verdict);
    const cells = [name.padEnd(width), kind.padEnd(8), time.padEnd(20), (by ?? "").padEnd(9)];
    return [...cells, what.slice(0, WHAT_WIDTH)].join("  ").trimEnd();
  });
  const found = verdicts.filter(({ kind }) => kind === "found").length;
  return `${lines.join("\n")}\nmutants: ${found} of ${verdicts.length} found\n`;
}

/** How long it was hunted. */
export function formatTime({ seconds, runs }: MutantVerdict): string {
  return `${seconds.toFixed(1)} s, ${counted(runs, "run")}`;
}
