import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { leaveStoppedNode } from "../../../../tests/support/stopped-node.ts";
import { tempFolder } from "../../../../tests/support/temp-directory.ts";
import type { CliContext } from "../context.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { runCli } from "../run-cli.ts";

const MEMBER = ["--member", "1=127.0.0.1:7101,127.0.0.1:7001"];

/** A folder that holds what a node left, `node`. */
async function stoppedNode(): Promise<{ readonly folder: string; readonly node: string }> {
  const folder = tempFolder();
  return { folder, node: await leaveStoppedNode(folder) };
}

async function run(workingDirectory: string, ...argv: readonly string[]) {
  let [out, err] = ["", ""];
  let questions = 0;
  const sink = (write: (text: string) => void) => ({ isTerminal: false, columns: 80, write });
  const context = {
    env: {},
    workingDirectory,
    out: sink((text) => void (out += text)),
    err: sink((text) => void (err += text)),
    ask: () => {
      questions += 1;
      return Promise.resolve(null);
    },
  };
  const exit = await runCli(["recover", ...argv], context as unknown as CliContext);
  return { exit, out, err, questions };
}

function linesOf(text: string): readonly unknown[] {
  return text.split("\n").flatMap((line): unknown[] => (line === "" ? [] : [JSON.parse(line)]));
}

test("what --to alone makes use of is wrong usage without it", async () => {
  const { folder, node } = await stoppedNode();
  for (const flags of [MEMBER, ["--incomplete"], [...MEMBER, "--incomplete"]]) {
    const { exit, err } = await run(folder, node, ...flags);
    expect([exit, err]).toEqual([EXIT_CODES.usage, expect.stringContaining("needs --to")]);
  }
  expect((await run(folder, node)).exit).toBe(EXIT_CODES.ok);
});

test("with --json all that is said is JSON, one value a line", async () => {
  const { folder, node } = await stoppedNode();
  const recover = (...flags: readonly string[]) =>
    run(folder, node, "--to", "new", ...MEMBER, "--json", ...flags);
  const unconfirmed = await recover();
  expect(unconfirmed).toMatchObject({ exit: EXIT_CODES.usage, out: "" });
  const told = {
    remains: expect.objectContaining({ name: "1", losses: [] }),
    consequences: expect.stringContaining("lost for good"),
  };
  expect(linesOf(unconfirmed.err)).toEqual([
    told,
    { error: expect.objectContaining({ code: "USAGE" }) },
  ]);
  rmSync(join(folder, node, "log"), { recursive: true });
  const refused = await recover("--yes");
  expect(refused).toMatchObject({ exit: EXIT_CODES.damaged, out: "" });
  expect(linesOf(refused.err)).toEqual([
    { remains: expect.objectContaining({ name: "1" }), consequences: "" },
    { error: expect.objectContaining({ code: "DAMAGED" }) },
  ]);
  const recovered = await recover("--yes", "--incomplete");
  expect([recovered.exit, recovered.err]).toEqual([EXIT_CODES.ok, expect.any(String)]);
  expect(linesOf(recovered.err)).toHaveLength(1);
  expect(linesOf(recovered.out)).toEqual([
    expect.objectContaining({ name: "1", limits: expect.anything() }),
  ]);
});

test("where nothing could begin, nobody is asked", async () => {
  const { folder, node } = await stoppedNode();
  writeFileSync(join(folder, "file"), "");
  mkdirSync(join(folder, "full", "node"), { recursive: true });
  const wrong = [
    [node, "full", "not empty"],
    [node, node, "not empty"],
    [node, "file", "cannot be the data directory"],
    [node, "file/below", "cannot be the data directory"],
    ["no-node", "new", "no-node"],
    ["file", "new", "file"],
    ["full", "new", "no node"],
  ] as const;
  for (const [source, to, text] of wrong) {
    const { exit, err, questions } = await run(folder, source, "--to", to, ...MEMBER);
    expect([source, to, exit, questions, err]).toEqual([
      source,
      to,
      EXIT_CODES.usage,
      0,
      expect.stringMatching(`^error: .*${text}`),
    ]);
  }
  mkdirSync(join(folder, "empty"));
  for (const to of ["empty", "new"]) {
    expect(await run(folder, node, "--to", to, ...MEMBER)).toMatchObject({ questions: 1 });
  }
});
