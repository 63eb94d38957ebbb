import { readFileSync, writeFileSync } from "node:fs";
import type { Report } from "../report/report.ts";
import { drawChart } from "./chart.ts";

const WRONG_USAGE = 2;
const [input, output, ...others] = process.argv.slice(2);

if (input === undefined || output === undefined || others.length > 0) {
  console.error("Usage: npm run bench:plot -- RESULT.json OUT.svg");
  process.exitCode = WRONG_USAGE;
} else {
  writeFileSync(output, drawChart(JSON.parse(readFileSync(input, "utf8")) as Report));
}
