import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { RunningCommand, quorate } from "./command.ts";
import { startEnsemble } from "./ensemble.ts";

const DAMAGED = 6;
const NO_READER = 141;

test("what nodes recorded is replayed, also of one that was killed", async () => {
  const ensemble = await startEnsemble();
  const traceOf = (name: string): string => join(ensemble.directory, `${name}.trace`);
  for (const name of ensemble.names) {
    await ensemble.stop(name);
    ensemble.start(name, ["--trace", traceOf(name)]);
    await ensemble.waitUntilReady();
  }
  const servers = ["-s", ensemble.servers.join(",")];
  expect(await quorate("create", "/a", "first", ...servers)).toMatchObject({ exit: 0 });
  for (const data of ["second", "third"]) {
    expect(await quorate("set", "/a", data, ...servers)).toMatchObject({ exit: 0 });
  }
  const leader = await ensemble.leader();
  await ensemble.kill(leader.name);
  await ensemble.leader(leader.term);
  expect(await quorate("set", "/a", "fourth", ...servers)).toMatchObject({ exit: 0 });
  for (const name of ensemble.names) if (name !== leader.name) await ensemble.stop(name);

  for (const name of ensemble.names) {
    const { exit, output } = await quorate("trace", "replay", traceOf(name));
    expect([name, exit]).toEqual([name, 0]);
    expect(output).toContain("the core did the same again");
    expect(output).toMatch(/commitAdvanced up to \d+/);
    const how = name === leader.name ? /without a last word|middle of a line/ : /was stopped/;
    expect(output).toMatch(how);
  }

  const bytes = readFileSync(traceOf(leader.name));
  const cut = join(ensemble.directory, "cut.trace");
  const end = bytes.lastIndexOf("\n", bytes.length - 2) + 8;
  writeFileSync(cut, bytes.subarray(0, end));
  const torn = await quorate("trace", "replay", cut, "--only", "roleChanged,leaderChanged");
  expect(torn.exit).toBe(0);
  expect(torn.output).toContain("in the middle of a line");
  expect(torn.output).toMatch(/^ +\d+ +\+[\d.]+s +roleChanged candidate -> leader/m);

  const middle = bytes.indexOf("\n", bytes.length >> 1) + 1;
  bytes.write("garbage", middle);
  writeFileSync(cut, bytes);
  const damaged = await quorate("trace", "replay", cut, "--summary");
  expect(damaged.exit).toBe(DAMAGED);
  expect(damaged.output).toMatch(/the trace is damaged: line \d+/);

  const json = await quorate("trace", "replay", traceOf(leader.name), "--json", "--to", "50");
  const lines = json.output.trimEnd().split("\n");
  expect(lines.map((line): unknown => JSON.parse(line)).at(-1)).toMatchObject({
    summary: { inputs: 50, end: "upTo", divergence: null },
  });
  const unread = new RunningCommand(
    ["trace", "replay", traceOf(leader.name)],
    {},
    { unread: "stdout" },
  );
  expect(await unread.ended()).toBe(NO_READER);
});
