import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readReport } from "./read-report.ts";

test.each([
  ["not there", null, "no such file"],
  ["text", "figures", "is no JSON"],
  ["other JSON", "[1]", "is no result of `npm run bench -- --out FILE`"],
])("a file that is %s is told in a sentence that names it", (_what, text, message) => {
  const folder = mkdtempSync(join(tmpdir(), "quorate-plot-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "result.json");
  if (text !== null) writeFileSync(path, text);
  expect(() => readReport(path)).toThrow(message);
  expect(() => readReport(path)).toThrow(path);
});
