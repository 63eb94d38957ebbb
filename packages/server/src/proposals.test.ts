import { sessionId, writeSeq } from "@quorate/kv-store/protocol";
import { nodeId, term, type NodeId } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { Proposals, type SessionWrites } from "./proposals.ts";

const SELF = nodeId(1);
const PEER = nodeId(2);

interface Batch {
  readonly to: NodeId | "self";
  readonly batch: number;
  readonly commands: readonly Uint8Array[];
}

function setUp(limits = { pendingBytesMax: 100, pendingCountMax: 10 }) {
  const batches: Batch[] = [];
  const time = { nowMs: 0 };
  const durationsMs: number[] = [];
  const proposals = new Proposals(limits, {
    nowMs: () => time.nowMs,
    onCommitted: (durationMs) => durationsMs.push(durationMs),
    toSelf: (batch, commands) => void batches.push({ to: "self", batch, commands }),
    toLeader: (to, batch, commands) => void batches.push({ to, batch, commands }),
  });
  const flush = (): readonly number[] => {
    batches.length = 0;
    proposals.flush();
    return batches.flatMap(({ commands }) => commands.map((command) => command[0] ?? 0));
  };
  return { proposals, batches, flush, time, durationsMs };
}

const command = (mark: number, bytes = 1) => new Uint8Array(bytes).fill(mark);

function submit(proposals: Proposals, writes: SessionWrites, seqs: readonly number[]): void {
  for (const seq of seqs) proposals.submit(writes, writeSeq(seq), command(seq));
}

describe("proposals", () => {
  test("tell how long a batch took, once, and nothing of one that had to leave again", () => {
    const { proposals, flush, time, durationsMs } = setUp();
    proposals.setLeader(PEER, false, term(1));
    const writes = proposals.adopt(sessionId(1));
    for (const seq of [1, 3, 4]) {
      submit(proposals, writes, seq === 1 ? [1, 2] : [seq]);
      time.nowMs += 10;
      flush();
    }
    time.nowMs = 45;
    for (const seq of [1, 2, 3]) proposals.resolve(writes, seq);
    expect(durationsMs).toEqual([35, 25]);
    proposals.setLeader(SELF, true, term(2));
    flush();
    proposals.resolve(writes, 4);
    expect(durationsMs).toEqual([35, 25]);
  });

  test("leave in the order in which they came, once, for whoever leads; who comes or goes before writes", () => {
    const { proposals, batches, flush } = setUp();
    proposals.setLeader(PEER, false, term(1));
    const writes = proposals.adopt(sessionId(1));
    submit(proposals, writes, [1, 2]);
    proposals.submitControl("attach:x", command(9));
    expect(flush()).toEqual([9, 1, 2]);
    expect(batches.map(({ to, commands }) => [to, commands.length])).toEqual([
      [PEER, 1],
      [PEER, 2],
    ]);
    expect(flush()).toEqual([]);
    proposals.setLeader(SELF, true, term(2));
    flush();
    expect(batches[0]?.to).toBe("self");
  });

  test.each([
    ["another leader", SELF, term(1)],
    ["the same leader in another term", PEER, term(2)],
  ])("all go out again, in order, with %s", (_what, leader, at) => {
    const { proposals, flush } = setUp();
    proposals.setLeader(PEER, false, term(1));
    const writes = proposals.adopt(sessionId(1));
    submit(proposals, writes, [1, 2, 3]);
    flush();
    proposals.resolve(writes, 1);
    proposals.setLeader(leader, false, at);
    expect(flush()).toEqual([2, 3]);
  });

  test("do not go out again for a leader that is still the same", () => {
    const { proposals, flush } = setUp();
    proposals.setLeader(PEER, false, term(1));
    submit(proposals, proposals.adopt(sessionId(1)), [1]);
    flush();
    proposals.setLeader(PEER, false, term(1));
    expect(flush()).toEqual([]);
  });

  test("wait while nobody leads", () => {
    const { proposals, flush } = setUp();
    submit(proposals, proposals.adopt(sessionId(1)), [1]);
    expect(flush()).toEqual([]);
    proposals.setLeader(PEER, false, term(1));
    expect(flush()).toEqual([1]);
  });

  test("are sent again as copies: the log may stand on the bytes sent before", () => {
    const { proposals, batches, flush } = setUp();
    proposals.setLeader(SELF, true, term(1));
    submit(proposals, proposals.adopt(sessionId(1)), [1]);
    proposals.submitControl("attach:x", command(9));
    flush();
    const first = batches.flatMap(({ commands }) => commands);
    proposals.resendAll();
    flush();
    const second = batches.flatMap(({ commands }) => commands);
    expect(second).toHaveLength(2);
    for (const bytes of second) expect(first.some((earlier) => earlier === bytes)).toBe(false);
    expect(second.flatMap((bytes) => [...bytes]).sort()).toEqual([1, 9]);
  });

  test("are answered only at the head, and only once", () => {
    const { proposals } = setUp();
    const writes = proposals.adopt(sessionId(1));
    submit(proposals, writes, [5, 6]);
    expect(proposals.resolve(writes, 6)).toBe(false);
    expect(proposals.resolve(writes, 5)).toBe(true);
    expect(proposals.resolve(writes, 5)).toBe(false);
    expect(proposals.resolve(writes, 6)).toBe(true);
    expect(proposals.pendingCount).toBe(0);
    expect(proposals.pendingBytes).toBe(0);
    expect(writes.nextSeq).toBe(7);
  });

  test("keep their order and their counts over thousands of answers", () => {
    const { proposals, flush } = setUp({ pendingBytesMax: 10_000, pendingCountMax: 10_000 });
    proposals.setLeader(PEER, false, term(1));
    const writes = proposals.adopt(sessionId(1));
    for (let seq = 1; seq <= 3000; seq += 1) {
      proposals.submit(writes, writeSeq(seq), command(seq % 251));
    }
    for (let seq = 1; seq <= 2500; seq += 1) expect(proposals.resolve(writes, seq)).toBe(true);
    flush();
    proposals.resendAll();
    expect(flush()).toEqual(Array.from({ length: 500 }, (_, at) => (2501 + at) % 251));
    expect(proposals.pendingBytes).toBe(500);
  });

  test("are bounded in count and in bytes, and the room comes back", () => {
    const { proposals } = setUp({ pendingBytesMax: 10, pendingCountMax: 2 });
    const writes = proposals.adopt(sessionId(1));
    expect(proposals.isFull(10)).toBe(false);
    expect(proposals.isFull(11)).toBe(true);
    proposals.submit(writes, writeSeq(1), command(1, 8));
    expect(proposals.isFull(2)).toBe(false);
    expect(proposals.isFull(3)).toBe(true);
    proposals.submit(writes, writeSeq(2), command(2));
    expect(proposals.isFull(0)).toBe(true);
    proposals.release(sessionId(1));
    expect(proposals.isFull(10)).toBe(false);
    expect(proposals.pendingCount).toBe(0);
  });

  test("are withdrawn from a number on, and the number may be used again", () => {
    const { proposals, flush } = setUp();
    proposals.setLeader(PEER, false, term(1));
    const writes = proposals.adopt(sessionId(1));
    submit(proposals, writes, [1, 2, 3]);
    flush();
    proposals.withdraw(writes, 2);
    expect(writes.count).toBe(1);
    submit(proposals, writes, [2]);
    proposals.resendAll();
    expect(flush()).toEqual([1, 2]);
    expect(proposals.pendingBytes).toBe(2);
  });

  test("of a session that is attached again are those of the new connection alone", () => {
    const { proposals, flush } = setUp();
    proposals.setLeader(PEER, false, term(1));
    submit(proposals, proposals.adopt(sessionId(1)), [1, 2]);
    flush();
    submit(proposals, proposals.adopt(sessionId(1)), [2]);
    proposals.resendAll();
    expect(flush()).toEqual([2]);
    expect(proposals.pendingBytes).toBe(1);
  });

  test("without a number are replaced by their key and forgotten once resolved", () => {
    const { proposals, flush } = setUp();
    proposals.setLeader(PEER, false, term(1));
    proposals.submitControl("attach:x", command(1));
    proposals.submitControl("attach:x", command(2));
    flush();
    proposals.resendAll();
    expect(flush()).toEqual([2]);
    proposals.resolveControl("attach:x");
    proposals.resendAll();
    expect(flush()).toEqual([]);
  });
});

describe("what a leader refused", () => {
  const queue = () => {
    const made = setUp({ pendingBytesMax: 1_000, pendingCountMax: 1_000 });
    made.proposals.setLeader(PEER, false, term(1));
    const writes = made.proposals.adopt(sessionId(1));
    const refuse = (): void => made.proposals.noteRefused(made.batches.at(-1)?.batch ?? 0);
    return { ...made, writes, refuse };
  };

  test("goes out again alone, with what came after it on its session", () => {
    const { proposals, writes, flush, refuse } = queue();
    const other = proposals.adopt(sessionId(2));
    submit(proposals, writes, [1, 2]);
    submit(proposals, other, [11]);
    flush();
    submit(proposals, writes, [3]);
    flush();
    refuse();
    proposals.resendRefused();
    expect(flush()).toEqual([3]);
    submit(proposals, writes, [4]);
    flush();
    refuse();
    submit(proposals, other, [12]);
    submit(proposals, writes, [5]);
    expect(flush()).toEqual([12]);
    proposals.resendRefused();
    expect(flush()).toEqual([4, 5]);
    proposals.resendRefused();
    expect(flush()).toEqual([]);
  });

  test("takes along what had left before the refusal was heard: it met a gap", () => {
    const { proposals, writes, flush, batches } = queue();
    submit(proposals, writes, [1]);
    flush();
    const [first] = batches;
    submit(proposals, writes, [2]);
    flush();
    proposals.noteRefused(first?.batch ?? 0);
    submit(proposals, writes, [3]);
    expect(flush()).toEqual([]);
    proposals.resendRefused();
    expect(flush()).toEqual([1, 2, 3]);
  });

  test("goes out again in the order in which sessions were refused", () => {
    const { proposals, flush, refuse } = queue();
    const sessions = [1, 2, 3].map((id) => proposals.adopt(sessionId(id)));
    for (const at of [2, 0, 1]) {
      submit(proposals, sessions[at]!, [at * 10 + 1]);
      flush();
      refuse();
    }
    proposals.resendRefused();
    expect(flush()).toEqual([21, 1, 11]);
    refuse();
    proposals.resendRefused();
    expect(flush()).toEqual([21, 1, 11]);
  });

  test("of attaches goes out again, and no other attach", () => {
    const { proposals, flush, refuse } = queue();
    proposals.submitControl("attach:x", command(8));
    flush();
    proposals.submitControl("attach:y", command(9));
    flush();
    refuse();
    proposals.resendRefused();
    expect(flush()).toEqual([9]);
    proposals.resendRefused();
    expect(flush()).toEqual([]);
  });

  test("leaves in batches of bounded size, each session's writes in order", () => {
    const { proposals, batches, flush } = setUp({
      pendingBytesMax: 100_000_000,
      pendingCountMax: 100_000,
    });
    proposals.setLeader(PEER, false, term(1));
    const sessions = [1, 2].map((id) => proposals.adopt(sessionId(id)));
    for (const writes of sessions) {
      for (let seq = 1; seq <= 6_000; seq += 1) proposals.submit(writes, writeSeq(seq), command(1));
    }
    flush();
    expect(batches.map(({ commands }) => commands.length)).toEqual([8_192, 3_808]);
    const large = proposals.adopt(sessionId(3));
    for (let seq = 1; seq <= 3; seq += 1) {
      proposals.submit(large, writeSeq(seq), command(seq, 600_000));
    }
    flush();
    expect(batches.map(({ commands }) => commands.length)).toEqual([1, 1, 1]);
    const [, second] = batches;
    proposals.noteRefused(second?.batch ?? 0);
    proposals.resendRefused();
    flush();
    expect(batches.map(({ commands }) => commands[0]?.[0])).toEqual([2, 3]);
  });
});

describe("a gap in the log", () => {
  const met = () => {
    const made = setUp();
    made.proposals.setLeader(PEER, false, term(1));
    const writes = made.proposals.adopt(sessionId(1));
    submit(made.proposals, writes, [1, 2, 3]);
    made.flush();
    return { ...made, writes };
  };

  test("is filled at once when nothing was sent again before", () => {
    const { proposals, writes, flush } = met();
    proposals.noteGap(writes, writeSeq(2));
    proposals.resendGapped();
    expect(flush()).toEqual([1, 2, 3]);
    proposals.resendGapped();
    expect(flush()).toEqual([]);
  });

  test("met by what had left before the refused was sent again is not filled twice", () => {
    const { proposals, writes, flush, time } = met();
    time.nowMs = 100;
    proposals.resendSession(writes);
    flush();
    proposals.noteGap(writes, writeSeq(2));
    time.nowMs = 900;
    proposals.resendGapped();
    proposals.resolve(writes, 1);
    time.nowMs = 1_500;
    proposals.resendGapped();
    proposals.resolve(writes, 2);
    time.nowMs = 5_000;
    proposals.resendGapped();
    expect(flush()).toEqual([]);
  });

  test("is filled again when what was sent again does not come through", () => {
    const { proposals, writes, flush, time } = met();
    proposals.resendSession(writes);
    flush();
    proposals.noteGap(writes, writeSeq(2));
    time.nowMs = 999;
    proposals.resendGapped();
    expect(flush()).toEqual([]);
    time.nowMs = 1_000;
    proposals.resendGapped();
    expect(flush()).toEqual([1, 2, 3]);
  });

  test("of a session that went elsewhere is nobody's concern", () => {
    const { proposals, writes, flush } = met();
    proposals.noteGap(writes, writeSeq(2));
    proposals.release(sessionId(1));
    proposals.resendGapped();
    expect(flush()).toEqual([]);
  });
});

describe("a write may be taken back", () => {
  const sent = () => {
    const made = setUp();
    made.proposals.setLeader(PEER, false, term(1));
    const writes = made.proposals.adopt(sessionId(1));
    submit(made.proposals, writes, [1]);
    made.flush();
    return { ...made, writes, batch: made.batches[0]?.batch ?? 0 };
  };

  test("when the one batch it left in was refused", () => {
    const { proposals, writes, batch } = sent();
    expect(writes.isWithdrawable(0)).toBe(false);
    proposals.noteRefused(batch + 1);
    expect(writes.isWithdrawable(0)).toBe(false);
    proposals.noteRefused(batch);
    expect(writes.isWithdrawable(0)).toBe(true);
  });

  test("when each batch it left in was refused", () => {
    const { proposals, writes, batch, flush, batches } = sent();
    proposals.noteRefused(batch);
    proposals.resendAll();
    flush();
    expect(writes.isWithdrawable(0)).toBe(false);
    proposals.noteRefused(batches[0]?.batch ?? 0);
    expect(writes.isWithdrawable(0)).toBe(true);
  });

  test("when the last batch it left in was refused, whatever became of those before", () => {
    const { proposals, writes, batch, flush, batches } = sent();
    proposals.resendAll();
    flush();
    proposals.noteRefused(batch);
    expect(writes.isWithdrawable(0)).toBe(false);
    proposals.noteRefused(batches[0]?.batch ?? 0);
    expect(writes.isWithdrawable(0)).toBe(true);
  });
});
