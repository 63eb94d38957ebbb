import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { CliContext } from "../context.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { runCli } from "../run-cli.ts";

/** Runs a command line in a folder of its own; what it printed on standard error comes with its exit code. */
async function run(
  argv: readonly string[],
  files: Readonly<Record<string, string>> = {},
): Promise<{ readonly exit: number; readonly err: string }> {
  const workingDirectory = mkdtempSync(join(tmpdir(), "quorate-"));
  onTestFinished(() => rmSync(workingDirectory, { recursive: true }));
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(workingDirectory, name), text);
  let err = "";
  const sink = (write: (text: string) => void) => ({ isTerminal: false, columns: 80, write });
  const context = {
    env: {},
    workingDirectory,
    out: sink(() => undefined),
    err: sink((text) => {
      err += text;
    }),
  };
  return { exit: await runCli(argv, context as unknown as CliContext), err };
}

describe("trace replay", () => {
  test.each([
    [["missing"], "no such file"],
    [["."], "EISDIR"],
    [["text"], "this is no trace of a core"],
    [["empty"], "nothing was recorded"],
    [["start"], "ends within its first line"],
    [["text", "--from", "2", "--to", "1"], "lies after"],
    [["text", "--from", "0"], "above 0"],
    [["text", "--only", "commitAdvanced,nonsense"], '"nonsense" is no kind of event'],
  ])("%j is wrong usage, and says why", async (args, reason) => {
    const files = { text: "some text\n", empty: "", start: '{"quorateTrace":1,"na' };
    const { exit, err } = await run(["trace", "replay", ...args], files);
    expect([exit, err]).toEqual([EXIT_CODES.usage, expect.stringContaining(reason)]);
  });

  test("a trace of another version says which release reads it", async () => {
    const files = { newer: '{"quorateTrace":99,"release":"9.0.0"}\n' };
    const { exit, err } = await run(["trace", "replay", "newer"], files);
    expect(exit).toBe(EXIT_CODES.failed);
    expect(err).toMatch(/version 99.*release 9\.0\.0/);
    expect(err).toContain("replay it with the release that recorded it");
  });

  test("a first line that is broken is damage, and says so", async () => {
    const { exit, err } = await run(["trace", "replay", "broken"], {
      broken: '{"quorateTrace":2,"name":"1"}\n',
    });
    expect([exit, err]).toEqual([EXIT_CODES.damaged, expect.stringContaining("line 1")]);
  });
});
