import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PACKAGES = ["raft", "kv-store", "client", "server", "cli"];

/** The files that `npm pack` puts into a package, within its folder. */
function packed(name: string): readonly string[] {
  const args = ["pack", "--dry-run", "--json", "--ignore-scripts", "-w", `packages/${name}`];
  const report: unknown = JSON.parse(execFileSync("npm", args, { cwd: ROOT, encoding: "utf8" }));
  return pathsIn(report);
}

/** Every `path` of the report, whose shape depends on the version of npm. */
function pathsIn(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  const own = "path" in value && typeof value.path === "string" ? [value.path] : [];
  return [...own, ...Object.values(value).flatMap(pathsIn)];
}

function read(name: string, file: string): string {
  return readFileSync(join(ROOT, "packages", name, file), "utf8");
}

/** What a source map is of, as paths within the package. */
function sourcesOf(name: string, file: string): readonly string[] {
  const map: unknown = JSON.parse(read(name, file));
  const sources = typeof map === "object" && map !== null && "sources" in map ? map.sources : null;
  expect([file, sources]).toEqual([file, [expect.any(String)]]);
  const folder = posix.dirname(file);
  return Array.isArray(sources) ? sources.map((each) => posix.join(folder, String(each))) : [];
}

/** Every file that the package itself names as a way in. */
function namedBy(value: unknown): readonly string[] {
  if (typeof value === "string") return value.startsWith("./") ? [value.slice(2)] : [];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(namedBy) : [];
}

test.each(PACKAGES)("the package %s holds all that it refers to, and no tests", (name) => {
  const files = packed(name);
  expect(files).toEqual(expect.arrayContaining(["LICENSE", "README.md", "package.json"]));
  expect(read(name, "LICENSE")).toBe(readFileSync(join(ROOT, "LICENSE"), "utf8"));
  expect(files.filter((file) => /\.test\.|tsbuildinfo/.test(file))).toEqual([]);

  const maps = files.filter((file) => file.endsWith(".map"));
  expect(maps.length).toBeGreaterThan(10);
  // What was built of a source that is gone stays until `npm run clean`.
  const isThere = (file: string): boolean => existsSync(join(ROOT, "packages", name, file));
  const needed = [
    ...maps.flatMap((file) => sourcesOf(name, file)).filter(isThere),
    ...namedBy(JSON.parse(read(name, "package.json"))),
  ];
  expect(needed.filter((file) => !files.includes(file))).toEqual([]);
});

test.each(PACKAGES)("the links in the README of %s lead somewhere", (name) => {
  const links = [...read(name, "README.md").matchAll(/\]\(([^)#]+)/g)].map(([, to = ""]) => to);
  expect(links.length).toBeGreaterThan(0);
  const folder = join(ROOT, "packages", name);
  expect(links.filter((to) => !existsSync(join(folder, to)))).toEqual([]);
});
