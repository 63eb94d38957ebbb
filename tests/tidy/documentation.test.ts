import { describe, expect, test } from "vitest";
import { packageOf, productFiles, type SourceFile } from "./source-files.ts";

const DECLARATION =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|const|interface|type) +(\w+)/;

/** Exported declarations without a comment of their own; later overloads of one function share the first's. */
function findUndocumented(file: SourceFile): readonly string[] {
  const lines = file.text.split("\n");
  const seen = new Set<string>();
  const missing: string[] = [];
  for (const [index, line] of lines.entries()) {
    const name = DECLARATION.exec(line)?.[1];
    if (name === undefined) continue;
    const isRepeated = seen.has(name);
    seen.add(name);
    const above = lines[index - 1]?.trim() ?? "";
    if (!isRepeated && !above.endsWith("*/")) missing.push(`${file.path}:${index + 1} ${name}`);
  }
  return missing;
}

describe("documentation", () => {
  test("stands above every export", () => {
    expect(productFiles().flatMap(findUndocumented)).toEqual([]);
  });

  test("is asked of an export that has none", () => {
    const text = "/** Says it. */\nexport const a = 1;\nexport function b(): void {}\n";
    expect(findUndocumented({ path: "a.ts", text })).toEqual(["a.ts:3 b"]);
  });
});

describe("assertions", () => {
  test.each(["raft", "kv-store"])("%s has at least one per function on average", (name) => {
    const code = productFiles()
      .filter(({ path }) => packageOf(path) === name)
      .map(({ text }) => text)
      .join("\n");
    const functions = code.match(FUNCTION)?.length ?? 0;
    const assertions = code.match(/\b(?:assert|unreachable)\(/g)?.length ?? 0;
    expect(assertions).toBeGreaterThanOrEqual(functions);
  });
});

/** Function declarations, and methods of classes (indented by two, with a body). */
const FUNCTION = /^(?:export )?function\*? \w+|^ {2}(?:static )?(?:get |set )?#?\w+\([^;]*\{$/gm;
