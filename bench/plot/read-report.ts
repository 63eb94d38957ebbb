import { readFileSync } from "node:fs";
import type { Report } from "../report/report.ts";

/** What `npm run bench -- --out FILE` wrote. Throws a sentence for the user where the file is none. */
export function readReport(path: string): Report {
  const value = parse(path, read(path));
  if (isReport(value)) return value;
  throw new Error(`${path} is no result of \`npm run bench -- --out FILE\``);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason}; \`npm run bench -- --out FILE\` writes one`, { cause: error });
  }
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
