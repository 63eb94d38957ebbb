import { mkdtempSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

const prefix = (): string => join(process.env["QUORATE_TEST_DIR"] ?? tmpdir(), "quorate-");

/** A folder of its own on a real disk; `QUORATE_TEST_DIR` names where. */
export async function tempDirectory(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(prefix());
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** The same, empty and gone with the test that asks for it. Returns its path. */
export function tempFolder(): string {
  const path = mkdtempSync(prefix());
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
