import { logIndex, nodeId, term, type Entry, type RaftConfig, type Ready } from "@quorate/raft";
import { expect, test } from "vitest";
import { RecordedCore } from "./recorded-core.ts";
import { replayTrace } from "./replay-trace.ts";
import { TraceRecording } from "./trace-recording.ts";

const CONFIG: RaftConfig = {
  id: nodeId(1),
  heartbeatTicks: 1,
  electionTicks: 5,
  appendEntriesMax: 16,
  appendBytesMax: 200_000,
  inflightEntriesMax: 64,
  inflightBytesMax: 400_000,
  memoryLogBytesMax: 65_536,
  uncommittedBytesMax: 400_000,
  entryBytesMax: 200_000,
  persistBytesMax: 65_536,
  applyBytesMax: 65_536,
  lease: null,
  seed: 7,
};
const ALONE = {
  voters: [nodeId(1)],
  outgoingVoters: [],
  learners: [],
  members: [
    {
      id: nodeId(1),
      name: "1",
      peerAddress: "127.0.0.1:1",
      clientAddress: "127.0.0.1:2",
      promotion: { kind: "none" as const },
    },
  ],
};
const ORIGIN = { name: "1", release: "1.0.0", startedMs: 0 };

/** A lone voter whose log holds `entries`, and the lines of its trace as they come. */
function setUp(entries: readonly Entry[] = [], linesMax = Infinity) {
  const lines: string[] = [];
  const output = {
    get isOver(): boolean {
      return lines.length >= linesMax;
    },
    begin: (first: Iterable<string>): void => void lines.push(...first),
    write: (line: string): void => void lines.push(line),
    close: (): Promise<void> => Promise.resolve(),
  };
  const recording = new TraceRecording(output, ORIGIN, () => 0.6);
  const snapshot = { index: logIndex(0), term: term(0), membership: ALONE };
  const hardState = { term: term(1), votedFor: null };
  const initial = { hardState, snapshot, firstIndex: 1, entries };
  return { core: new RecordedCore(CONFIG, initial, recording), lines };
}

const command = (index: number, bytes: number): Entry => ({
  kind: "command",
  term: term(1),
  index: logIndex(index),
  data: new Uint8Array(bytes),
});

/** Takes all work; what is written is durable at once. */
function settle(core: RecordedCore): readonly Ready[] {
  const taken: Ready[] = [];
  for (let ready = core.takeReady(); ready !== null; ready = core.takeReady()) {
    taken.push(ready);
    if (ready.persist !== null) core.step({ kind: "persisted", ticket: ready.persist.ticket });
  }
  return taken;
}

test("what the log held at the start comes in lines of a bounded size", async () => {
  const few = Array.from({ length: 1_000 }, (_, at) => command(at + 1, 10));
  const large = Array.from({ length: 5 }, (_, at) => command(at + 1, 40_000));
  for (const [entries, lineCount] of [
    [few, 4],
    [large, 3],
  ] as const) {
    const { core, lines } = setUp(entries);
    expect(lines).toHaveLength(1 + lineCount);
    for (let tick = 0; tick < 12; tick += 1) core.step({ kind: "tick" });
    settle(core);
    const summary = await replayTrace([new TextEncoder().encode(lines.join(""))]);
    expect(summary).toMatchObject({
      divergence: null,
      broken: null,
      lastIndex: entries.length + 1,
      commitIndex: entries.length + 1,
    });
  }
});

test("that there is no work is told once, until something happens", () => {
  const { core, lines } = setUp();
  const before = lines.length;
  for (let at = 0; at < 3; at += 1) core.takeReady();
  core.step({ kind: "tick" });
  for (let at = 0; at < 3; at += 1) core.takeReady();
  const kinds = lines.slice(before).map((line) => Object.keys(JSON.parse(line) as object).join());
  expect(kinds).toEqual(["ms,ready", "ms,ready", "n,ms,input", "ms,ready"]);
});

test("a recording that is over costs nothing any more, and changes nothing", () => {
  const plain = setUp();
  const { core, lines } = setUp([], 4);
  for (const each of [plain.core, core]) {
    for (let tick = 0; tick < 12; tick += 1) {
      each.step({ kind: "tick" });
      settle(each);
    }
    each.step({ kind: "propose", commands: [new Uint8Array(3)] });
    settle(each);
  }
  expect(lines).toHaveLength(4);
  expect(core.raft.status()).toEqual(plain.core.raft.status());
  expect(core.raft.status().role).toBe("leader");
});
