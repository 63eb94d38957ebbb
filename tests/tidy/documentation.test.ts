import { posix } from "node:path";
import { describe, expect, test } from "vitest";
import { productFiles, type SourceFile } from "./source-files.ts";

const DECLARATION =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|const|interface|type) +(\w+)/;

/** What each entry file hands out: names by file, or `null` for all of a file. */
function publicNames(
  files: readonly SourceFile[],
): ReadonlyMap<string, ReadonlySet<string> | null> {
  const names = new Map<string, Set<string> | null>();
  for (const { path, text } of files.filter((file) => file.path.endsWith("/index.ts"))) {
    for (const [, all, list = "", from = ""] of text.matchAll(REEXPORT)) {
      const target = posix.join(posix.dirname(path), from);
      const before = names.get(target);
      if (all !== undefined || before === null) names.set(target, null);
      else names.set(target, new Set([...(before ?? []), ...namesIn(list)]));
    }
  }
  return names;
}

const REEXPORT = /^export (?:type )?(?:(\*)|\{([^}]*)\}) from "(\.[^"]+)";/gm;

function namesIn(list: string): readonly string[] {
  return list
    .split(",")
    .map(
      (part) =>
        part
          .trim()
          .replace(/^type /, "")
          .split(" as ")[0] ?? "",
    )
    .filter((name) => name !== "");
}

/** Public declarations without a comment of their own; later overloads of one function share the first's. */
function findUndocumented(
  file: SourceFile,
  isPublic: (name: string) => boolean,
): readonly string[] {
  const lines = file.text.split("\n");
  const seen = new Set<string>();
  const missing: string[] = [];
  for (const [index, line] of lines.entries()) {
    const name = DECLARATION.exec(line)?.[1];
    if (name === undefined || !isPublic(name)) continue;
    const isRepeated = seen.has(name);
    seen.add(name);
    const above = lines[index - 1]?.trim() ?? "";
    if (!isRepeated && !above.endsWith("*/")) missing.push(`${file.path}:${index + 1} ${name}`);
  }
  return missing;
}

describe("documentation", () => {
  test("stands above everything a package hands out", () => {
    const files = productFiles();
    const names = publicNames(files);
    expect(names.size).toBeGreaterThan(20);
    const missing = files.flatMap((file) => {
      const handedOut = names.get(file.path);
      if (handedOut === undefined) return [];
      return findUndocumented(file, (name) => handedOut === null || handedOut.has(name));
    });
    expect(missing).toEqual([]);
  });

  test("is asked of an export that has none", () => {
    const text = "/** Says it. */\nexport const a = 1;\nexport function b(): void {}\n";
    expect(findUndocumented({ path: "a.ts", text }, () => true)).toEqual(["a.ts:3 b"]);
  });

  test("is asked of what entry files name, in whatever form", () => {
    const index = {
      path: "packages/x/src/index.ts",
      text: 'export { a, type B } from "./one.ts";\nexport type * from "./two.ts";\nexport {\n  c,\n} from "./one.ts";\n',
    };
    expect([...publicNames([index])]).toEqual([
      ["packages/x/src/one.ts", new Set(["a", "B", "c"])],
      ["packages/x/src/two.ts", null],
    ]);
  });
});
