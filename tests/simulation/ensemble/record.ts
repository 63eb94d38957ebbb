import { spawnSync } from "node:child_process";
import { appendFileSync } from "node:fs";
import type { Totals } from "./totals.ts";

const RECORD_FILE = "tests/simulation/RECORD.md";

/** Adds what a set of runs did to the record that the repository keeps. */
export function appendRecord(totals: Totals, argv: readonly string[]): void {
  const { stdout } = spawnSync("git", ["rev-parse", "--short", "HEAD"]);
  const cells = [
    new Date().toISOString().slice(0, 10),
    stdout.toString().trim(),
    `\`npm run sim -- ${argv.filter((word) => word !== "--record").join(" ")}\``,
    String(totals.runs),
    totals.countedHours.toFixed(1),
    String(totals.operations),
    totals.faults,
    String(totals.violations),
  ];
  appendFileSync(RECORD_FILE, `| ${cells.join(" | ")} |\n`);
}
