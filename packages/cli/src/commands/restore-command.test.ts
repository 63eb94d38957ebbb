import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder } from "../../../../tests/support/temp-directory.ts";
import type { CliContext } from "../context.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { runCli } from "../run-cli.ts";

const MEMBER = "1=127.0.0.1:7101,127.0.0.1:7001";

/** Restores into `to` in a folder that holds a backup that is none. */
async function restore(
  workingDirectory: string,
  to: string,
): Promise<{ readonly exit: number; readonly err: string }> {
  writeFileSync(join(workingDirectory, "backup"), "no backup at all");
  let err = "";
  const sink = { isTerminal: false, columns: 80, write: (text: string) => void (err += text) };
  const context = { env: {}, workingDirectory, out: sink, err: sink } as unknown as CliContext;
  const argv = ["snapshot", "restore", "backup", "--to", to, "--member", MEMBER];
  return { exit: await runCli(argv, context), err };
}

test("a backup that is damaged leaves none of the folders behind that were made for it", async () => {
  const folder = tempFolder();
  const { exit, err } = await restore(folder, "new/node");
  expect([exit, err]).toEqual([EXIT_CODES.damaged, expect.stringContaining("no backup")]);
  expect(existsSync(join(folder, "new"))).toBe(false);
});

test("a folder that was there stays, and so does one that holds something", async () => {
  const folder = tempFolder();
  mkdirSync(join(folder, "new"));
  expect((await restore(folder, "new")).exit).toBe(EXIT_CODES.damaged);
  expect(readdirSync(join(folder, "new"))).toEqual([]);
  writeFileSync(join(folder, "new", "file"), "");
  expect(await restore(folder, "new")).toEqual({
    exit: EXIT_CODES.usage,
    err: `error: ${join(folder, "new")} is not empty: it holds file\n  name a folder that does not exist yet, or an empty one\n`,
  });
  expect(readdirSync(join(folder, "new"))).toEqual(["file"]);
});

test("a folder that is none is told so, with what to do", async () => {
  const folder = tempFolder();
  writeFileSync(join(folder, "file"), "");
  for (const to of ["file", "file/below"]) {
    const { exit, err } = await restore(folder, to);
    expect([to, exit, err]).toEqual([
      to,
      EXIT_CODES.usage,
      `error: ${join(folder, to)} cannot be the data directory: there, or on the way there, is a file\n  name a folder that does not exist yet, or an empty one\n`,
    ]);
  }
});
