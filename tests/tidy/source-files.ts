import { readFileSync, readdirSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** A TypeScript file of this repository. */
export interface SourceFile {
  /** From the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** The repository's root folder. */
export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

const LEFT_OUT: ReadonlySet<string> = new Set(["node_modules", "dist", ".git", ".cache"]);

/** Every TypeScript file below the given folders, in order of path. */
export function sourceFiles(...folders: readonly string[]): readonly SourceFile[] {
  return folders
    .flatMap((folder) => filesBelow(join(ROOT, folder)))
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))
    .map((file) => ({
      path: relative(ROOT, file).replaceAll("\\", "/"),
      text: readFileSync(file, "utf8"),
    }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The packages' own sources, without the unit tests beside them. */
export function productFiles(): readonly SourceFile[] {
  return sourceFiles("packages").filter(({ path }) => isProductPath(path));
}

/** Name of the package a path lies in. */
export function packageOf(path: string): string {
  return path.split("/")[1] ?? "";
}

function isProductPath(path: string): boolean {
  return path.includes("/src/") && !path.endsWith(".test.ts");
}

function filesBelow(folder: string): readonly string[] {
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (LEFT_OUT.has(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}
