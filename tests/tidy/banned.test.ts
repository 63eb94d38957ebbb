import { describe, expect, test } from "vitest";
import { blankComments } from "./blank-text.ts";
import { findBreaches, type LineRule } from "./line-rule.ts";
import { sourceFiles } from "./source-files.ts";

const THIS_FILE = "tests/tidy/banned.test.ts";
const isConfig = (path: string): boolean => path.endsWith(".config.ts");

/** Looked for in code, without comments and strings. */
const CODE_RULES: readonly LineRule[] = [
  {
    name: "left-out test",
    pattern:
      /\b(?:test|it|describe|suite|bench)\s*(?:\.\w+(?:\([^)]*\))?)*\.(?:skip|only|todo|fails|skipIf|runIf)\b/,
    reason: "a test runs everywhere or is deleted",
  },
  {
    name: "left-out test",
    pattern: /\b(?:xit|xdescribe|fit|fdescribe)\s*\(/,
    reason: "a test runs everywhere or is deleted",
  },
  {
    name: "any",
    pattern: /(?::|<|\bas|\||,|=>)\s*any\b(?!\s*[:(?])/,
    reason: "take unknown and narrow it",
  },
  {
    name: "module mock",
    pattern: /\bvi\s*\.\s*(?:mock|doMock|hoisted)\b/,
    reason: "give the code a port and pass a double",
  },
  {
    name: "default export",
    pattern: /^\s*export\s+default\b/,
    reason: "export by name",
    applies: (path) => !isConfig(path),
  },
  {
    name: "export star",
    pattern: /^\s*export\s+\*/,
    reason: "re-export by name; only `export type *` may be whole",
  },
  {
    name: "enum or namespace",
    pattern: /^\s*(?:export\s+)?(?:declare\s+)?(?:const\s+)?(?:enum|namespace)\s+\w/,
    reason: "take an `as const` list and its union",
  },
  {
    name: "var",
    pattern: /^\s*var\s/,
    reason: "take const",
  },
  {
    name: "debugger",
    pattern: /^\s*debugger\b/,
    reason: "take it out",
  },
];

/** Looked for everywhere, comments included. */
const TEXT_RULES: readonly LineRule[] = [
  {
    name: "left for later",
    pattern: /\b(?:TODO|FIXME|XXX|HACK)\b/,
    reason: "do it now or write an ADR",
  },
  {
    name: "switched-off check",
    pattern: /@ts-(?:ignore|expect-error|nocheck)|(?:oxlint|eslint)-disable|istanbul ignore/,
    reason: "repair what the check found",
  },
  {
    name: "path of one machine",
    pattern: /["'`\s(](?:\/work\/|\/tmp\/|\/home\/\w|\/Users\/\w|\/root\/|[A-Z]:\\\\)/,
    reason: "ask os.tmpdir() or take it as a setting",
  },
];

describe("banned words", () => {
  const files = sourceFiles("packages", "tests", "bench").filter(({ path }) => path !== THIS_FILE);

  test("are in no code", () => {
    const view = (text: string): string => blankComments(text, { strings: true });
    expect(findBreaches(files, CODE_RULES, view)).toEqual([]);
  });

  test("are in no text", () => {
    expect(findBreaches(files, TEXT_RULES, (text) => text)).toEqual([]);
  });
});

describe("the rules", () => {
  test.each([
    'test.skip("x", run);',
    'describe.each([1]).only("x", run);',
    "const x: any = 1;",
    "const x = y as any;",
    "const x = new Map<string, any>();",
    'vi.mock("ws");',
    "export default thing;",
    'export * from "./a.ts";',
    "export enum Kind {}",
  ])("catch %s", (text) => {
    expect(findBreaches([{ path: "a.ts", text }], CODE_RULES, (view) => view)).toHaveLength(1);
  });

  test.each([
    'export type * from "./a.ts";',
    "const only = list.only;",
    "if (any(list)) return;",
    "const skip = true;",
  ])("leave alone %s", (text) => {
    expect(findBreaches([{ path: "a.ts", text }], CODE_RULES, (view) => view)).toEqual([]);
  });

  test.each(["// TODO later", "// @ts-ignore", 'const file = "/tmp/x";', "// see /work/main"])(
    "catch in text %s",
    (text) => {
      expect(findBreaches([{ path: "a.ts", text }], TEXT_RULES, (view) => view)).toHaveLength(1);
    },
  );
});
