import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

test.each(["packages/cli/bin/quorate.cjs", "packages/server/bin/quorate-server.cjs"])(
  "%s of a clone that is not built says what to do, in one line",
  (bin) => {
    const clone = mkdtempSync(join(process.env["QUORATE_TEST_DIR"] ?? tmpdir(), "quorate-"));
    onTestFinished(() => rmSync(clone, { recursive: true }));
    cpSync(join(ROOT, bin), join(clone, bin));
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(clone, bin), "--help"], {
      encoding: "utf8",
    });
    const name = basename(bin, ".cjs");
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toBe(
      `${name}: this clone is not built yet: run \`npm run build\` in ${clone}\n`,
    );
  },
);
