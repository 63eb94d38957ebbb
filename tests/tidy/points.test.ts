import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT, packageOf, productFiles, type SourceFile } from "./source-files.ts";

const POINTS_MIN = 200;
const WITH_POINTS = ["raft", "kv-store", "client", "server"];

const isDeclaration = ({ path }: SourceFile): boolean => path.endsWith("/src/points.ts");

/** Names that a package declares, between its list's brackets. */
function declaredIn(text: string): readonly string[] {
  const list = /_POINTS = \[(?<names>[^\]]*)\]/.exec(text)?.groups?.["names"] ?? "";
  return [...list.matchAll(/"([^"]*)"/g)].map(([, name = ""]) => name);
}

function reachedIn(text: string): readonly string[] {
  return [...text.matchAll(/\breached\(\s*"([^"]*)"/g)].map(([, name = ""]) => name);
}

/** Names that come more than once. */
function repeated(names: readonly string[]): readonly string[] {
  return names.filter((name, at) => names.indexOf(name) !== at);
}

describe("points", () => {
  const files = productFiles();
  const declarations = files.filter(isDeclaration);

  test("are declared by every package that has something rare to tell", () => {
    const packages = declarations.map(({ path }) => packageOf(path));
    expect(packages.sort()).toEqual([...WITH_POINTS].sort());
  });

  test("have names of their own, in the manner of assertions, and are enough", () => {
    const names = declarations.flatMap(({ text }) => declaredIn(text));
    expect(repeated(names)).toEqual([]);
    expect(names.filter((name) => !/^[a-z]+(?:_[a-z]+)+$/.test(name))).toEqual([]);
    expect(names.length).toBeGreaterThanOrEqual(POINTS_MIN);
  });

  test.each(WITH_POINTS)("of %s are each reached at one place, and none is undeclared", (name) => {
    const own = files.filter(({ path }) => packageOf(path) === name);
    const declared = own.filter(isDeclaration).flatMap(({ text }) => declaredIn(text));
    const used = own.filter((file) => !isDeclaration(file)).flatMap(({ text }) => reachedIn(text));
    expect(repeated(used)).toEqual([]);
    expect([...used].sort()).toEqual([...declared].sort());
  });
});

test("the list of points that the simulator does not reach names points", () => {
  const text = readFileSync(join(ROOT, "tests/simulation/POINTS.md"), "utf8");
  const declared = productFiles()
    .filter(isDeclaration)
    .flatMap((file) => declaredIn(file.text));
  const listed = [...text.matchAll(/`([a-z]+(?:_[a-z]+)+)`/g)].map(([, name = ""]) => name);
  expect(listed.length).toBeGreaterThan(10);
  expect(listed.filter((name) => !declared.includes(name))).toEqual([]);
  expect(repeated(listed)).toEqual([]);
});

describe("the reading of points", () => {
  test("sees what is declared, reached and repeated", () => {
    expect(
      declaredIn('export const A_POINTS = [\n  // x.ts\n  "a_b",\n  "c_d",\n] as const;'),
    ).toEqual(["a_b", "c_d"]);
    expect(reachedIn('if (x) reached("a_b");\nreached(\n  "c_d",\n);')).toEqual(["a_b", "c_d"]);
    expect(repeated(["a_b", "c_d", "a_b"])).toEqual(["a_b"]);
  });
});
