import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder of its own on a real disk; `QUORATE_TEST_DIR` names where. */
export async function tempDirectory(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(process.env["QUORATE_TEST_DIR"] ?? tmpdir(), "quorate-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
