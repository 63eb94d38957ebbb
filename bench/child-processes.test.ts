import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { BUILT_BENCH } from "./repository.ts";

test("a harness that is killed leaves neither servers nor data behind", async () => {
  const directory = mkdtempSync(join(tmpdir(), "quorate-sweep-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const main = join(BUILT_BENCH, "fake/fake-harness-main.js");
  const harness = spawn(process.execPath, [main, directory], { stdio: ["ignore", "pipe", "pipe"] });
  const told: string[] = [];
  for (const stream of [harness.stdout, harness.stderr]) {
    stream.on("data", (data) => told.push(String(data)));
  }
  await once(harness.stdout, "data");
  harness.kill("SIGKILL");
  // The server and the sweeper hold the other ends of its streams as long as they live.
  await once(harness, "close");
  expect(told.join("")).toBe("started\n");
  expect(existsSync(directory)).toBe(false);
});
