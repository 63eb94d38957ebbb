import { appendFileSync } from "node:fs";
import { headCommit } from "./commit.ts";

const RECORD_FILE = "tests/simulation/RECORD.md";

/** What a set of runs came to. */
export interface Recorded {
  readonly runs: number;
  /** Simulated ones that count. */
  readonly countedHours: number;
  readonly operations: number;
  /** All kinds of faults with how often each happened. */
  readonly faults: string;
  readonly violations: number;
}

/** Adds what a set of runs of `npm run SCRIPT` did to the record that the repository keeps. */
export function appendRecord(script: string, recorded: Recorded, argv: readonly string[]): void {
  const flags = argv.filter((word) => word !== "--record").join(" ");
  const cells = [
    new Date().toISOString().slice(0, 10),
    headCommit(),
    `\`npm run ${script} -- ${flags}\``,
    String(recorded.runs),
    recorded.countedHours.toFixed(1),
    String(recorded.operations),
    recorded.faults,
    String(recorded.violations),
  ];
  appendFileSync(RECORD_FILE, `| ${cells.join(" | ")} |\n`);
}
