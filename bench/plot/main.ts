import { writeFileSync } from "node:fs";
import { drawChart } from "./chart.ts";
import { readReport } from "./read-report.ts";

const USAGE = "Usage: npm run bench:plot -- RESULT.json OUT.svg\n";
const WRONG_USAGE = 2;
const args = process.argv.slice(2);
const [input, output, ...others] = args;

if (args.includes("--help")) {
  process.stdout.write(USAGE);
} else if (input === undefined || output === undefined || others.length > 0) {
  process.stderr.write(USAGE);
  process.exitCode = WRONG_USAGE;
} else {
  try {
    writeFileSync(output, drawChart(readReport(input)));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = WRONG_USAGE;
  }
}
