import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { checkFilesToLoad } from "./files-to-load.ts";

const MAIN = fileURLToPath(new URL("../../bin/quorate-server.cjs", import.meta.url));

test("no end of files, an unknown one and one that is high enough are no matter", () => {
  for (const filesMax of [null, 160, 1024, 1_048_576]) checkFilesToLoad(filesMax);
});

test("a limit that is too low is told, with what to do", () => {
  expect(() => checkFilesToLoad(159)).toThrow(
    /^CONFIG_INVALID: .* 159 files open, .* 1024 or more \(ulimit -n/,
  );
});

test("the least that is let through is enough to load the server", () => {
  const { status, stderr, stdout } = spawnSync(
    "bash",
    ["-c", 'ulimit -n 160; exec "$@"', "bash", process.execPath, MAIN, "--version"],
    { encoding: "utf8" },
  );
  expect(`${stderr}${status}`).toBe("0");
  expect(stdout).toMatch(/^\d+\.\d+\.\d+/);
});
