import { logIndex, nodeId, term, type RaftInput } from "@quorate/raft";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ServerError } from "../../packages/server/src/errors.ts";
import { RecordedCore } from "../../packages/server/src/trace/recorded-core.ts";
import { replayTrace, type TraceSummary } from "../../packages/server/src/trace/replay-trace.ts";
import { TraceRecording } from "../../packages/server/src/trace/trace-recording.ts";
import { loneConfig, logOf } from "../interaction/lone-core.ts";
import { membershipOf } from "../support/members.ts";

/** A core of three voters with something in its log, and the lines of its trace. */
function record(): { readonly core: RecordedCore; readonly lines: string[] } {
  const lines: string[] = [];
  const output = {
    isOver: false,
    begin: (first: Iterable<string>): void => void lines.push(...first),
    write: (line: string): void => void lines.push(line),
    close: (): Promise<void> => Promise.resolve(),
  };
  const origin = { name: "1", release: "test", startedMs: 1_000 };
  let ms = 0;
  const recording = new TraceRecording(output, origin, () => {
    ms += 10;
    return ms;
  });
  const core = new RecordedCore(
    { ...loneConfig, id: nodeId(1) },
    {
      hardState: { term: term(1), votedFor: null },
      snapshot: { index: logIndex(0), term: term(0), membership: membershipOf([1, 2, 3]) },
      firstIndex: 1,
      entries: logOf(1, 1),
    },
    recording,
  );
  return { core, lines };
}

/** Steps and takes everything that is to be done; writes end at once. */
function drive(core: RecordedCore, inputs: readonly RaftInput[]): void {
  for (const input of inputs) {
    core.step(input);
    for (;;) {
      const ready = core.takeReady();
      if (ready === null) break;
      if (ready.persist !== null) core.step({ kind: "persisted", ticket: ready.persist.ticket });
      const last = ready.committed.at(-1);
      if (last !== undefined) core.step({ kind: "applied", index: last.index });
    }
  }
}

const envelope = { from: nodeId(2), to: nodeId(1), term: term(2) };
const tick: RaftInput = { kind: "tick" };
const grant = (preVote: boolean): RaftInput => ({
  kind: "message",
  message: { ...envelope, kind: "requestVoteReply", preVote, granted: true },
});
const propose: RaftInput = { kind: "propose", commands: [new Uint8Array([1, 2, 255])] };
const acknowledge = (index: number): RaftInput => ({
  kind: "message",
  message: {
    ...envelope,
    kind: "appendEntriesReply",
    ok: true,
    matchIndex: logIndex(index),
    rejectedIndex: logIndex(0),
    hintIndex: logIndex(0),
    hintTerm: term(0),
  },
});

/** Twelve ticks are enough for any election timeout. */
const LEADS: readonly RaftInput[] = [
  ...Array.from({ length: 12 }, () => tick),
  grant(true),
  grant(false),
  propose,
  acknowledge(4),
  { kind: "readIndex", context: { nonce: 1, counter: 1 } },
  { kind: "transferLeadership", to: nodeId(9) },
  tick,
];

function replay(lines: readonly string[]): Promise<TraceSummary> {
  return replayTrace([new TextEncoder().encode(lines.join(""))]);
}

describe("a trace that was recorded", () => {
  test("is done again, whatever the inputs were", async () => {
    const any = fc.constantFrom<RaftInput>(
      tick,
      grant(true),
      grant(false),
      propose,
      acknowledge(3),
      acknowledge(4),
      { kind: "peerUnreachable", peer: nodeId(2) },
      { kind: "readIndex", context: { nonce: 1, counter: 2 } },
      {
        kind: "message",
        message: {
          ...envelope,
          kind: "heartbeat",
          commitIndex: logIndex(2),
          commitTerm: term(1),
          round: 1,
        },
      },
      { kind: "transferLeadership", to: nodeId(2) },
    );
    const property = fc.asyncProperty(fc.array(any, { maxLength: 80 }), async (inputs) => {
      const { core, lines } = record();
      drive(core, inputs);
      const summary = await replay(lines);
      expect(summary).toMatchObject({ divergence: null, broken: null, end: "cut" });
      expect(summary.commitIndex).toBe(core.raft.status().commitIndex);
      expect(summary.lastIndex).toBe(core.raft.status().lastIndex);
      expect(summary.lastTerm).toBe(core.raft.status().term);
    });
    await fc.assert(property, { numRuns: 300 });
  });

  test("tells who led, and up to where it was committed", async () => {
    const { core, lines } = record();
    drive(core, LEADS);
    expect(await replay(lines)).toMatchObject({
      node: 1,
      firstTerm: 1,
      lastTerm: 2,
      leaders: [{ term: 2, leader: 1 }],
      commitIndex: 4,
      lastIndex: 4,
      divergence: null,
    });
  });

  test("may end anywhere", async () => {
    const { core, lines } = record();
    drive(core, LEADS);
    const bytes = new TextEncoder().encode(lines.join(""));
    const ends = new Set<string>();
    for (let length = 0; length < bytes.length; length += 7) {
      const cut = [bytes.subarray(0, length)];
      try {
        const summary = await replayTrace(cut);
        expect(summary).toMatchObject({ divergence: null, broken: null });
        ends.add(summary.end);
      } catch (error) {
        expect(error).toMatchObject({ code: "NO_TRACE" });
        expect(length).toBeLessThanOrEqual(lines[0]?.length ?? 0);
      }
    }
    expect([...ends].sort()).toEqual(["cut", "torn"]);
  });

  test("may come in pieces of any size", async () => {
    const { core, lines } = record();
    drive(core, LEADS);
    const bytes = new TextEncoder().encode(lines.join(""));
    const whole = await replayTrace([bytes]);
    for (const size of [1, 13, 1_000]) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
        bytes.subarray(at * size, (at + 1) * size),
      );
      expect(await replayTrace(pieces)).toEqual(whole);
    }
  });

  test("ends with the error that the core threw", async () => {
    const { core, lines } = record();
    // The leader contradicts itself: the same place, and another entry in it.
    const append = (entryTerm: number): RaftInput => ({
      kind: "message",
      message: {
        ...envelope,
        kind: "appendEntries",
        prevIndex: logIndex(2),
        prevTerm: term(1),
        commitIndex: logIndex(2),
        entries: [{ kind: "noop", term: term(entryTerm), index: logIndex(3) }],
      },
    });
    drive(core, [append(2)]);
    expect(() => drive(core, [append(1)])).toThrow("matched_never_truncated");
    expect(await replay(lines)).toMatchObject({ end: "threw", divergence: null, broken: null });
    const last = lines.at(-1) ?? "";
    const other = last.replace("matched_never_truncated", "another_invariant");
    expect((await replay(lines.toSpliced(lines.length - 1, 1, other))).divergence).not.toBeNull();
  });
});

describe("a trace that is not what the core does", () => {
  test("names the first event that differs", async () => {
    const { core, lines } = record();
    drive(core, LEADS);
    const at = lines.findIndex((line) => line.includes('"electionWon"'));
    const [, number = ""] = /"n":(\d+)/.exec(lines[at] ?? "") ?? [];
    lines[at] = (lines[at] ?? "").replace('"electionWon"', '"electionLost"');
    const { divergence } = await replay(lines);
    expect(divergence).toMatchObject({
      number: Number(number),
      recorded: { kind: "roleChanged", reason: "electionLost" },
      replayed: { kind: "roleChanged", reason: "electionWon" },
    });
  });

  test.each([
    ["an event too few", /,"events":\[\{"kind":"voteCounted"[^}]*\},/, ',"events":['],
    ["another result", /"outcome":\{"ok":true,"index":4\}/, '"outcome":{"ok":true,"index":5}'],
    ["another refusal", /"reason":"unknownPeer"/, '"reason":"notLeader"'],
    ["other work", /"messages":2/, '"messages":3'],
  ])("%s is seen", async (_what, pattern, replacement) => {
    const { core, lines } = record();
    drive(core, LEADS);
    const at = lines.findIndex((line) => pattern.test(line));
    expect(at).toBeGreaterThan(0);
    lines[at] = (lines[at] ?? "").replace(pattern, replacement);
    expect((await replay(lines)).divergence).not.toBeNull();
  });

  test("an input that was left out is damage, and so is garbage in the middle", async () => {
    const { core, lines } = record();
    drive(core, LEADS);
    const at = lines.findIndex((line) => line.startsWith('{"n":5,'));
    const gap = lines.toSpliced(at, 1);
    await expect(replay(gap)).rejects.toMatchObject({ code: "TRACE_DAMAGED" });
    const garbage = lines.toSpliced(at, 0, "#\u0000garbage\n");
    await expect(replay(garbage)).rejects.toThrow(ServerError);
    await expect(replay(garbage)).rejects.toMatchObject({ code: "TRACE_DAMAGED" });
    const before = await replayTrace([new TextEncoder().encode(garbage.join(""))], { upTo: 3 });
    expect(before).toMatchObject({ end: "upTo", inputs: 3, divergence: null });
  });

  test("something after its end is damage", async () => {
    const { core, lines } = record();
    drive(core, LEADS);
    const end = '{"end":"stopped"}\n';
    expect(await replay([...lines, end])).toMatchObject({ end: "stopped", divergence: null });
    await expect(replay([...lines, end, end])).rejects.toMatchObject({ code: "TRACE_DAMAGED" });
  });
});
