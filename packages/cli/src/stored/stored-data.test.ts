import { ServerError, type ServerErrorCode } from "@quorate/server";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { CliContext } from "../context.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { runCli } from "../run-cli.ts";
import { readError, storedDataError } from "./stored-data.ts";

const { damaged, failed, usage } = EXIT_CODES;

describe("what a stopped node or a backup fails with", () => {
  test.each<[ServerErrorCode, string, number]>([
    ["NOTHING_STORED", "USAGE", usage],
    ["STORAGE_LOCKED", "USAGE", usage],
    ["STORAGE_FAILED", "UNREADABLE", failed],
    ["STORAGE_FULL", "UNREADABLE", failed],
    ["FORMAT_UNKNOWN", "DAMAGED", damaged],
    ["BACKUP_DAMAGED", "DAMAGED", damaged],
    ["IDENTITY_DAMAGED", "DAMAGED", damaged],
    ["IDENTITY_MISMATCH", "DAMAGED", damaged],
    ["IMAGE_CORRUPT", "DAMAGED", damaged],
    ["LOG_CORRUPT", "DAMAGED", damaged],
  ])("%s is %s", (code, told, exitCode) => {
    const error = storedDataError(new ServerError(code, "why"), "it is damaged", "do this");
    expect(error).toMatchObject({ code: told, exitCode });
  });

  test.each([
    ["open /d/identity: EACCES", "run it as the user"],
    ["open /d/image-1: IO error: /d/image-1/LOCK: Permission denied", "run it as the user"],
    ["open /d/image-1: IO error: /d/image-1/LOCK: Read-only file system", "work on a copy"],
    ["open /d/identity: EROFS", "work on a copy"],
    ["open /d/identity: EMFILE", "mend what is in the way"],
  ])("%s is not called damage", (text, hint) => {
    const error = storedDataError(new ServerError("STORAGE_FAILED", text), "it is damaged", "away");
    expect(error).toMatchObject({
      message: expect.stringContaining(`says nothing of damage: ${text}`),
      hint: expect.stringContaining(hint),
    });
  });

  test("is usage only where the command line names the wrong thing", () => {
    for (const [code, exitCode] of [
      ["ENOENT", usage],
      ["ENOTDIR", usage],
      ["EISDIR", usage],
      ["EACCES", failed],
      ["EIO", failed],
    ] as const) {
      const error = Object.assign(new Error(code), { code, syscall: "open" });
      expect(readError(error, "/x", "give another")).toMatchObject({ exitCode });
    }
  });
});

/** Runs a command line in a folder of its own that holds a file, an empty folder, and half a node. */
async function run(...argv: readonly string[]): Promise<number> {
  const workingDirectory = mkdtempSync(join(tmpdir(), "quorate-"));
  onTestFinished(() => rmSync(workingDirectory, { recursive: true }));
  writeFileSync(join(workingDirectory, "file"), "neither this nor that");
  mkdirSync(join(workingDirectory, "folder"));
  const sink = { isTerminal: false, columns: 80, write: () => undefined };
  const context = { env: {}, workingDirectory, out: sink, err: sink };
  return runCli(argv, context as unknown as CliContext);
}

describe("a command line that names", () => {
  const OF_NODES = ["recover", "image verify", "wal verify", "wal dump"];
  const OF_FILES = ["snapshot verify", "trace replay"];
  const BEYOND = ["none", "file/below"];

  test.each(
    [...OF_NODES, ...OF_FILES].flatMap((command) => BEYOND.map((path) => [command, path] as const)),
  )("what is not there is wrong usage: %s %s", async (command, path) => {
    expect(await run(...command.split(" "), path)).toBe(usage);
  });

  test.each(OF_NODES)(
    "a file or an empty folder as a node's is wrong usage: %s",
    async (command) => {
      expect(await run(...command.split(" "), "file")).toBe(usage);
      expect(await run(...command.split(" "), "folder")).toBe(usage);
    },
  );

  test.each(OF_FILES)("a folder as a file is wrong usage: %s", async (command) => {
    expect(await run(...command.split(" "), "folder")).toBe(usage);
  });

  test("a backup that is not there is wrong usage, and nothing is made", async () => {
    const target = ["--to", "new/node", "--member", "1=127.0.0.1:7101,127.0.0.1:7001"];
    for (const path of ["none", "folder"]) {
      expect(await run("snapshot", "restore", path, ...target)).toBe(usage);
    }
  });
});
