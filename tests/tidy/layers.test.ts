import { describe, expect, test } from "vitest";
import {
  findImportBreaches,
  findScatteredLibraries,
  importsOf,
  loadedBy,
  loadedWith,
} from "./import-rules.ts";
import { productFiles } from "./source-files.ts";

const from = (path: string, specifier: string) => ({
  path,
  text: `import { thing } from "${specifier}";\n`,
});

describe("the layers", () => {
  test("hold in every source file", () => {
    expect(productFiles().length).toBeGreaterThan(50);
    expect(findImportBreaches(productFiles())).toEqual([]);
  });

  test("keep every library behind one adapter", () => {
    expect(findScatteredLibraries(productFiles())).toEqual([]);
  });
});

describe("the command line", () => {
  const loaded = loadedWith("packages/cli/src/main.ts", productFiles());

  test("starts without the server's code, which few of its commands have a use for", () => {
    expect(loaded.has("commander")).toBe(true);
    expect(loaded.get("@quorate/server")).toBeUndefined();
  });
});

describe("the rule", () => {
  test.each([
    ["packages/raft/src/a.ts", "@quorate/kv-store"],
    ["packages/raft/src/a.ts", "node:crypto"],
    ["packages/kv-store/src/a.ts", "@quorate/raft"],
    ["packages/kv-store/src/protocol/a.ts", "../command.ts"],
    ["packages/client/src/a.ts", "@quorate/kv-store"],
    ["packages/client/src/a.ts", "ws"],
    ["packages/client/src/a.ts", "node:timers"],
    ["packages/server/src/a.ts", "@quorate/client"],
    ["packages/server/src/a.ts", "../../raft/src/ids.ts"],
    ["packages/cli/src/a.ts", "@quorate/raft"],
    ["packages/other/src/a.ts", "ws"],
    ["packages/cli/src/a.ts", "./b.js"],
  ])("refuses in %s the import of %s", (path, specifier) => {
    expect(findImportBreaches([from(path, specifier)])).toHaveLength(1);
  });

  test.each([
    ["packages/kv-store/src/protocol/a.ts", "msgpackr"],
    ["packages/kv-store/src/a.ts", "./protocol/index.ts"],
    ["packages/client/src/ws-socket.ts", "ws"],
    ["packages/server/src/a.ts", "@quorate/raft"],
    ["packages/cli/src/commands/a.ts", "../b.ts"],
  ])("allows in %s the import of %s", (path, specifier) => {
    expect(findImportBreaches([from(path, specifier)])).toEqual([]);
  });

  test("sees every form of import, and none in a comment", () => {
    const text = [
      'import "./side-effect.ts";',
      'import type { A } from "a";',
      "import {",
      "  b,",
      '} from "b";',
      'export { c } from "c";',
      'export type * from "d";',
      'const e = await import("e");',
      '// import { f } from "f";',
      'type G = import("g").G;',
    ].join("\n");
    expect(importsOf(text)).toEqual(["./side-effect.ts", "a", "b", "c", "d", "e", "g"]);
  });

  test("tells what is loaded at once from types and from what is loaded when it is asked for", () => {
    const text = [
      'import "./side-effect.ts";',
      'import type { A } from "a";',
      "import {",
      "  type B,",
      '} from "b";',
      'export { c } from "c";',
      'export type * from "d";',
      'const e = await import("e");',
      'export const f = () => wanted("from", "f");',
      'type G = import("g").G;',
    ].join("\n");
    expect(loadedBy(text)).toEqual(["./side-effect.ts", "b", "c"]);
  });

  test("follows what is loaded from file to file", () => {
    const files = [
      from("packages/cli/src/a.ts", "./commands/b.ts"),
      from("packages/cli/src/commands/b.ts", "../c.ts"),
      from("packages/cli/src/c.ts", "@quorate/server"),
      from("packages/cli/src/d.ts", "valibot"),
    ];
    const loaded = loadedWith("packages/cli/src/a.ts", files);
    expect([...loaded]).toEqual([["@quorate/server", "packages/cli/src/c.ts"]]);
  });

  test("finds a library in two folders", () => {
    const scattered = [
      from("packages/server/src/storage/a.ts", "level"),
      from("packages/server/src/image/b.ts", "level"),
    ];
    expect(findScatteredLibraries(scattered)).toHaveLength(1);
    expect(findScatteredLibraries(scattered.slice(1))).toEqual([]);
  });
});
