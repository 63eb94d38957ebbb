import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { CliContext } from "../context.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { runCli } from "../run-cli.ts";

/** Runs a command line in a folder of its own; what it printed comes with its exit code. */
async function run(
  argv: readonly string[],
  files: Readonly<Record<string, string>> = {},
): Promise<{ readonly exit: number; readonly out: string; readonly err: string }> {
  const workingDirectory = mkdtempSync(join(tmpdir(), "quorate-"));
  onTestFinished(() => rmSync(workingDirectory, { recursive: true }));
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(workingDirectory, name), text);
  let [out, err] = ["", ""];
  const sink = (write: (text: string) => void) => ({ isTerminal: false, columns: 80, write });
  const context = {
    env: {},
    workingDirectory,
    out: sink((text) => {
      out += text;
    }),
    err: sink((text) => {
      err += text;
    }),
  };
  const exit = await runCli(argv, context as unknown as CliContext);
  return { exit, out, err };
}

const MEMBERSHIP = {
  voters: [1, 2],
  outgoingVoters: [],
  learners: [],
  members: [1, 2].map((id) => ({
    id,
    name: String(id),
    peerAddress: `p:${id}`,
    clientAddress: `c:${id}`,
    promotion: { kind: "none" },
  })),
};
const HEAD = {
  ...{ quorateTrace: 2, name: "1", release: "0.1.0", startedMs: 0 },
  config: {
    ...{ id: 1, heartbeatTicks: 5, electionTicks: 30, appendEntriesMax: 8, appendBytesMax: 5_000 },
    ...{ inflightEntriesMax: 64, inflightBytesMax: 9_000, memoryLogBytesMax: 9_000 },
    ...{ uncommittedBytesMax: 9_000, entryBytesMax: 4_000, persistBytesMax: 2_000 },
    ...{ applyBytesMax: 1_000, lease: null, seed: 7 },
  },
  initial: {
    hardState: { term: 0, votedFor: null },
    snapshot: { index: 0, term: 0, membership: MEMBERSHIP },
    firstIndex: 1,
  },
  entryCount: 0,
  events: [
    {
      ...{ kind: "started", id: 1, term: 0, votedFor: null, imageIndex: 0, imageTerm: 0 },
      ...{ lastIndex: 0, lastTerm: 0, membershipIndex: 0, membership: MEMBERSHIP },
    },
  ],
};

/** A trace of a core that hears nothing but its clock, every 20 ms. */
function traceOfTicks(count: number): string {
  const ticks = Array.from({ length: count }, (_, at) => ({
    n: at + 1,
    ms: 20 * (at + 1),
    input: { kind: "tick" },
  }));
  return [HEAD, ...ticks].map((line) => `${JSON.stringify(line)}\n`).join("");
}

describe("trace replay", () => {
  test.each([
    [["missing"], "no such file"],
    [["."], "EISDIR"],
    [["text", "--from", "2", "--to", "1"], "lies after"],
    [["text", "--from", "0"], "above 0"],
    [["text", "--only", "commitAdvanced,nonsense"], '"nonsense" is no kind of event'],
  ])("%j is wrong usage, and says why", async (args, reason) => {
    const { exit, err } = await run(["trace", "replay", ...args], { text: "some text\n" });
    expect([exit, err]).toEqual([EXIT_CODES.usage, expect.stringContaining(reason)]);
  });

  test.each(["missing", "missing/too", "."])("of %s says where traces come from", async (file) => {
    const { err } = await run(["trace", "replay", file]);
    expect(err).toMatch(/\n  give a file .*`quorate dev --trace`, such as .*\.trace\n$/);
  });

  test.each([
    ["some text\n", "this is no trace of a core"],
    ["", "nothing was recorded"],
    ['{"quorateTrace":1,"na', "ends within its first line"],
  ])("of %j, which may have been one, is damage, as it is of a backup", async (text, reason) => {
    const traced = await run(["trace", "replay", "file"], { file: text });
    expect([traced.exit, traced.err]).toEqual([
      EXIT_CODES.damaged,
      expect.stringContaining(reason),
    ]);
    const backup = await run(["snapshot", "verify", "file"], { file: text });
    expect(backup.exit).toBe(EXIT_CODES.damaged);
  });

  test("sums up all that it replayed, up to the last input", async () => {
    const files = { ticks: traceOfTicks(10) };
    const { exit, out } = await run(
      ["trace", "replay", "ticks", "--from", "5", "--to", "8"],
      files,
    );
    expect(exit).toBe(EXIT_CODES.ok);
    expect(out).toContain("8 inputs, 1 event in 0.160 s; term 0");
    const json = await run(["trace", "replay", "ticks", "--json", "--summary"], files);
    expect(JSON.parse(json.out)).toMatchObject({ summary: { inputs: 10, events: 1, ms: 200 } });
  });

  test("whose output is long ends with how to see less of it", async () => {
    // Of a core that has not lost its patience by then.
    const patient = traceOfTicks(300).replace('"electionTicks":30', '"electionTicks":900');
    const files = { long: patient, short: traceOfTicks(3) };
    const long = await run(["trace", "replay", "long", "--inputs"], files);
    expect([long.exit, long.err]).toEqual([EXIT_CODES.ok, expect.stringContaining("--from N")]);
    expect(long.err).toContain("--only");
    for (const flags of [["long", "--inputs", "--to", "250"], ["long"], ["short", "--inputs"]]) {
      expect((await run(["trace", "replay", ...flags], files)).err).toBe("");
    }
    expect((await run(["trace", "replay", "long", "--inputs", "--json"], files)).err).toBe("");
  });

  test("that ends in a divergence says how to look at what led to it", async () => {
    const [head, ...ticks] = traceOfTicks(60).trimEnd().split("\n");
    const other = JSON.parse(ticks[49] ?? "");
    other.events = [{ kind: "elected", term: 9 }];
    ticks[49] = JSON.stringify(other);
    const { exit, err } = await run(["trace", "replay", "odd", "--summary"], {
      odd: `${[head, ...ticks].join("\n")}\n`,
    });
    expect(exit).toBe(EXIT_CODES.failed);
    expect(err).toContain("at input 50");
    expect(err).toContain("--from 30 --to 50 --inputs");
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
