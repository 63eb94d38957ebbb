import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's folder, found upwards from this module, which runs as source and as built. */
export const REPOSITORY: string = findUpwards(dirname(fileURLToPath(import.meta.url)));

/** Sources of the harness, among them those of the drivers in other languages. */
export const BENCH_SOURCES: string = join(REPOSITORY, "bench");

/** What the compiler makes of them; drivers run from there. */
export const BUILT_BENCH: string = join(REPOSITORY, ".cache/bench");

function findUpwards(from: string): string {
  if (existsSync(join(from, "package-lock.json"))) return from;
  const above = dirname(from);
  if (above === from) throw new Error("this is not a checkout of the repository");
  return findUpwards(above);
}
