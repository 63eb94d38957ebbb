import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT, packageOf, productFiles } from "./source-files.ts";

const PAGE = readFileSync(join(ROOT, "ARCHITECTURE.md"), "utf8");
const [, TABLES = ""] = PAGE.split("\n## Where it lives\n");
const [COMMON = "", ...SECTIONS] = (TABLES.split("\n## ")[0] ?? "").split("\n### ");

/** The files and folders that a piece of the page names. */
function namedIn(text: string): readonly string[] {
  return [...text.matchAll(/`([\w/-]+(?:\.ts|\/))`/g)].map(([, name = ""]) => name);
}

const PLACES = SECTIONS.map((text) => ({
  folder: /^`([^`]+)`/.exec(text)?.[1] ?? "",
  names: namedIn(text.slice(text.indexOf("\n"))),
}));

describe("ARCHITECTURE.md", () => {
  const packages = [...new Set(productFiles().map(({ path }) => packageOf(path)))];

  test.each(packages)("says where everything in %s is", (name) => {
    const folder = `packages/${name}/src`;
    const names = PLACES.find((place) => place.folder === folder)?.names ?? [];
    const known = new Set([...names, ...namedIn(COMMON)]);
    const tops = productFiles()
      .filter(({ path }) => path.startsWith(`${folder}/`))
      .map(({ path }) => path.slice(folder.length + 1).replace(/\/.*/, "/"));
    expect(tops.length).toBeGreaterThan(10);
    expect([...new Set(tops)].filter((top) => !known.has(top))).toEqual([]);
  });

  test("names nothing that is not there, and nothing twice", () => {
    const paths = PLACES.flatMap(({ folder, names }) => names.map((name) => `${folder}/${name}`));
    expect(paths.length).toBeGreaterThan(150);
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    expect(paths.filter((path, at) => paths.indexOf(path) !== at)).toEqual([]);
  });
});
