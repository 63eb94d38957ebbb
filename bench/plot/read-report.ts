import { readFileSync } from "node:fs";
import type { Report } from "../report/report.ts";

/** What `npm run bench -- --out FILE` wrote. Throws a sentence for the user where the file is none. */
export function readReport(path: string): Report {
  const value = parse(path, readFileSync(path, "utf8"));
  if (isReport(value)) return value;
  throw new Error(`${path} is no result of \`npm run bench -- --out FILE\``);
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${path} is no JSON`, { cause: error });
  }
}

function isReport(value: unknown): value is Report {
  return typeof value === "object" && value !== null && "results" in value && "ratios" in value;
}
