import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const BINS = ["packages/cli/bin/quorate.cjs", "packages/server/bin/quorate-server.cjs"];

test.each(BINS)("%s of a clone that is not built says what to do, in one line", (bin) => {
  const clone = mkdtempSync(join(process.env["QUORATE_TEST_DIR"] ?? tmpdir(), "quorate-"));
  onTestFinished(() => rmSync(clone, { recursive: true }));
  cpSync(join(ROOT, bin), join(clone, bin));
  const run = () => spawnSync(process.execPath, [join(clone, bin), "--help"], { encoding: "utf8" });
  const name = basename(bin, ".cjs");
  const told = (what: string): object => ({
    ...{ status: 1, stdout: "" },
    stderr: `${name}: this clone is not built yet: run \`${what}\` in ${clone}\n`,
  });
  expect(run()).toMatchObject(told("npm ci && npm run build"));
  mkdirSync(join(clone, "node_modules"));
  expect(run()).toMatchObject(told("npm run build"));
});
