import { decodeCommand, encodeCommand } from "@quorate/kv-store";
import { sessionId, writeSeq, type SessionId, type WriteOp } from "@quorate/kv-store/protocol";
import { nodeId, term } from "@quorate/raft";
import { describe, expect, test, vi } from "vitest";
import { ManualClock } from "./memory/manual-clock.ts";
import type { PeerEnvelope } from "./peer/envelope.ts";
import { ProposalExchange } from "./proposal-exchange.ts";
import { ProposalIntake } from "./proposal-intake.ts";
import { Proposals } from "./proposals.ts";

const SELF = nodeId(1);
const PEER = nodeId(2);
const MIB = 1_048_576;
const SESSION = sessionId(7);

const OTHER = sessionId(8);
const OTHER_OP: WriteOp = { kind: "delete", path: "/b", version: null };

const write = (seq: number, op: WriteOp, session: SessionId = SESSION) =>
  encodeCommand({
    kind: "write",
    session,
    writeSeq: writeSeq(seq),
    ackedSeq: 0,
    epoch: 0,
    ops: [op],
  });
const create = (seq: number) =>
  write(seq, { kind: "create", path: "/a", data: new Uint8Array(0), mode: "persistent" });
const open = encodeCommand({
  kind: "openSession",
  verifier: new Uint8Array(32),
  timeoutMs: 1_000,
  attach: { node: 2, address: "", principal: "", clientName: "" },
});
const remove = (seq: number) => write(seq, { kind: "delete", path: "/a", version: null });

function setUp(intakeCount = 100) {
  const clock = new ManualClock();
  const disk = { isDiskFull: false, isDiskExhausted: false };
  const state = { isLeader: true, ...disk, linkUp: true, isGone: false, applied: 0 };
  const sent: PeerEnvelope[] = [];
  const refused: number[] = [];
  const refuseWaiting = vi.fn();
  const intake = new ProposalIntake({
    bytesMax: MIB,
    countMax: intakeCount,
    batchBytesMax: MIB,
    batchCountMax: 100,
  });
  const proposals: Proposals = new Proposals(
    { pendingBytesMax: MIB, pendingCountMax: 100 },
    {
      toSelf: (batch, commands) => exchange.take(SELF, batch, commands),
      toLeader: (leader, batch, commands) => exchange.sendTo(leader, batch, commands),
      nowMs: () => clock.nowMs(),
      onCommitted: () => undefined,
    },
  );
  const exchange: ProposalExchange = new ProposalExchange({
    self: SELF,
    clock,
    proposals,
    intake,
    commandBytesMax: 1000,
    isPeer: () => !state.isGone,
    isLeader: () => state.isLeader,
    isDiskFull: () => state.isDiskFull || state.isDiskExhausted,
    isDiskExhausted: () => state.isDiskExhausted,
    isApplied: (_session, seq) => seq <= state.applied,
    send: (_to, envelope) => {
      if (state.linkUp) sent.push(envelope);
      return state.linkUp;
    },
    refuseWaiting,
    onRefused: (count) => void refused.push(count),
    wake: () => undefined,
  });
  return { clock, state, sent, refused, refuseWaiting, intake, proposals, exchange };
}

describe("the exchange of proposals", () => {
  test("takes a peer's batch in while this node leads", () => {
    const { exchange, intake, sent } = setUp();
    exchange.take(PEER, 1, [create(1), remove(2)]);
    expect(intake.count).toBe(2);
    expect(sent).toEqual([]);
  });

  test("refuses whole batches when it does not lead or has no room", () => {
    const { exchange, intake, sent, state } = setUp(1);
    intake.add([write(1, OTHER_OP, OTHER)]);
    exchange.take(PEER, 1, [create(1), remove(2)]);
    state.isLeader = false;
    exchange.take(PEER, 2, [create(1)]);
    expect(intake.count).toBe(1);
    expect(sent).toMatchObject([
      { kind: "proposalsRefused", batch: 1, reason: "overloaded" },
      { kind: "proposalsRefused", batch: 2, reason: "notLeader" },
    ]);
  });

  test.each([
    ["that ends too early", create(1).subarray(0, create(1).length - 3)],
    ["with bytes after its end", Uint8Array.of(...create(1), 0)],
    ["of a version it does not know", Uint8Array.of(9, ...create(1).subarray(1))],
    ["of a kind it does not know", Uint8Array.of(1, 77, ...create(1).subarray(2))],
    ["without a body", create(1).subarray(0, 18)],
    [
      "larger than the log takes",
      write(1, { kind: "set", path: "/a", data: new Uint8Array(1000), version: null }),
    ],
  ])("keeps a command %s out of the log, and nothing else", (_what, command) => {
    const { exchange, intake, sent, refused } = setUp();
    const others = [write(1, OTHER_OP, OTHER), write(2, OTHER_OP, OTHER)];
    exchange.take(PEER, 1, [...others.slice(0, 1), command, ...others.slice(1)]);
    expect([intake.count, refused, sent]).toEqual([2, [1], []]);
    // Alone it is nothing that was taken.
    exchange.take(PEER, 2, [command]);
    expect(intake.count).toBe(2);
    expect(sent).toMatchObject([{ kind: "proposalsRefused", batch: 2, reason: "notReady" }]);
  });

  test("keeps what follows a command too large on its session out as well: it would meet a gap", () => {
    const { exchange, intake, refused } = setUp();
    const large = write(2, { kind: "set", path: "/a", data: new Uint8Array(1000), version: null });
    const other = write(9, OTHER_OP, OTHER);
    const close = encodeCommand({ kind: "closeSession", session: OTHER });
    const first = create(1);
    exchange.take(PEER, 1, [first, large, create(3), other, close]);
    expect(intake.peek({ timeMs: 0, clockMs: 0 })).toEqual([first, other, close]);
    expect(refused).toEqual([2]);
  });

  test("takes those who come and go in when it has no room for writes", () => {
    const { exchange, intake, sent } = setUp(1);
    intake.add([write(1, OTHER_OP, OTHER)]);
    const close = encodeCommand({ kind: "closeSession", session: SESSION });
    exchange.take(PEER, 1, [close]);
    exchange.take(PEER, 2, [create(1)]);
    expect(intake.count).toBe(2);
    expect(sent).toMatchObject([{ batch: 2, reason: "overloaded" }]);
  });

  test("gets a long list in although others fill what comes free with short ones", () => {
    const { exchange, intake, clock, proposals } = setUp(50);
    proposals.setLeader(SELF, true, term(1));
    let others = 0;
    const fill = (): void => {
      for (; intake.count < 50; others += 1) {
        exchange.take(PEER, others + 1, [write(others + 1, OTHER_OP, OTHER)]);
      }
    };
    fill();
    const writes = proposals.adopt(SESSION);
    for (let seq = 1; seq <= 90; seq += 1) proposals.submit(writes, writeSeq(seq), remove(seq));
    proposals.flush();
    let seq = 0;
    // Each time one place comes free; what waits here comes before the others once in a while.
    for (let turn = 0; turn < 1_000 && seq < 90; turn += 1) {
      const [command = new Uint8Array(0)] = intake.peek({ timeMs: 0, clockMs: 0 });
      const { command: next } = decodeCommand(command);
      intake.drop(1);
      clock.advance(50);
      proposals.flush();
      fill();
      if (next.kind === "write" && next.session === SESSION && next.writeSeq === seq + 1) seq += 1;
    }
    expect(seq).toBe(90);
    expect(others).toBeLessThan(1_000);
  });

  test("has what may be unheard sent again when the way to a peer is new", () => {
    const { exchange, clock, proposals, sent, state } = setUp();
    state.isLeader = false;
    exchange.onPeerUp(PEER);
    exchange.take(PEER, 1, [create(1)]);
    sent.length = 0;
    exchange.onPeerUp(PEER);
    expect(sent).toMatchObject([{ kind: "proposalsRefused", batch: 0 }]);
    proposals.setLeader(PEER, false, term(1));
    proposals.submit(proposals.adopt(SESSION), writeSeq(1), create(1));
    proposals.flush();
    const [refusal] = sent;
    sent.length = 0;
    if (refusal?.kind === "proposalsRefused") exchange.onRefusal(refusal);
    clock.advance(100);
    proposals.flush();
    expect(sent).toMatchObject([{ kind: "proposals" }]);
  });

  test("says again that it refused, to each once, until it could leave", () => {
    const { exchange, clock, sent, state } = setUp();
    state.isLeader = false;
    state.linkUp = false;
    exchange.take(PEER, 1, [create(1)]);
    exchange.take(PEER, 2, [create(2)]);
    clock.advance(150);
    expect(sent).toEqual([]);
    state.linkUp = true;
    clock.advance(100);
    // Neither of the two is forgotten.
    expect(sent).toMatchObject([{ kind: "proposalsRefused", batch: 0, reason: "notLeader" }]);
    clock.advance(1_000);
    expect(sent).toHaveLength(1);
    expect(clock.nextDueMs()).toBeNull();
  });

  test("says nothing more to a node that is gone for good", () => {
    const { exchange, clock, sent, state } = setUp();
    state.isLeader = false;
    state.linkUp = false;
    exchange.take(PEER, 1, [create(1)]);
    state.isGone = true;
    clock.advance(100);
    expect(clock.nextDueMs()).toBeNull();
    state.linkUp = true;
    clock.advance(1_000);
    expect(sent).toEqual([]);
  });

  test("lets deletes pass while the disk is full, whatever they came with", () => {
    const { exchange, intake, sent, state } = setUp();
    state.isDiskFull = true;
    exchange.take(PEER, 1, [remove(1)]);
    expect(sent).toEqual([]);
    exchange.take(PEER, 2, [create(2), remove(3)]);
    expect(intake.count).toBe(2);
    expect(sent).toMatchObject([{ batch: 2, reason: "diskFull" }]);
  });

  test("takes what was applied before while the disk is full: whoever sends it again waits for the answer", () => {
    const { exchange, intake, sent, state } = setUp();
    state.isDiskFull = true;
    state.applied = 1;
    exchange.take(PEER, 1, [create(1)]);
    expect([intake.count, sent]).toEqual([1, []]);
    exchange.take(PEER, 2, [create(2)]);
    expect(intake.count).toBe(1);
    expect(sent).toMatchObject([{ batch: 2, reason: "diskFull" }]);
  });

  test("lets sessions begin while the disk is full, until it is exhausted", () => {
    const { exchange, intake, sent, state } = setUp();
    state.isDiskFull = true;
    exchange.take(PEER, 1, [open]);
    exchange.take(PEER, 2, [open, create(2)]);
    expect(intake.count).toBe(2);
    state.isDiskExhausted = true;
    exchange.take(PEER, 3, [open, remove(3)]);
    expect(intake.count).toBe(3);
    expect(sent).toMatchObject([
      { batch: 2, reason: "diskFull" },
      { batch: 3, reason: "diskExhausted" },
    ]);
  });

  test.each([
    ["diskFull", false],
    ["diskExhausted", true],
  ] as const)("after a refusal for %s, new sessions taken back: %s", (reason, isTakenBack) => {
    const { exchange, refuseWaiting } = setUp();
    exchange.onRefusal({ kind: "proposalsRefused", batch: 1, reason, retryAfterMs: 100 });
    const [refuse] = refuseWaiting.mock.calls[0]!;
    expect([refuse(open), refuse(create(1))]).toEqual([isTakenBack, true]);
  });

  test("has what waits for space taken back when the leader's disk is full", () => {
    const { exchange, refuseWaiting } = setUp();
    exchange.onRefusal({
      kind: "proposalsRefused",
      batch: 1,
      reason: "diskFull",
      retryAfterMs: 100,
    });
    expect(refuseWaiting).toHaveBeenCalledOnce();
    const [refuse, code] = refuseWaiting.mock.calls[0]!;
    expect(code).toBe("DISK_FULL");
    expect(refuse(create(1))).toBe(true);
    expect(refuse(remove(1))).toBe(false);
  });

  test("sends everything again once, however many batches were refused", () => {
    const { exchange, clock, proposals, sent } = setUp();
    proposals.setLeader(PEER, false, term(1));
    proposals.submit(proposals.adopt(SESSION), writeSeq(1), create(1));
    proposals.flush();
    sent.length = 0;
    const advance = (ms: number): void => {
      clock.advance(ms);
      proposals.flush();
    };
    for (let batch = 1; batch <= 5; batch += 1) {
      exchange.onRefusal({
        kind: "proposalsRefused",
        batch,
        reason: "overloaded",
        retryAfterMs: 100,
      });
      advance(10);
    }
    advance(49);
    expect(sent).toEqual([]);
    for (let ms = 0; ms < 1000; ms += 1) advance(1);
    expect(sent).toHaveLength(1);
  });

  test("sends again what was refused, and not what was taken", () => {
    const { exchange, clock, proposals, sent } = setUp();
    proposals.setLeader(PEER, false, term(1));
    const writes = proposals.adopt(SESSION);
    proposals.submit(writes, writeSeq(1), create(1));
    proposals.flush();
    proposals.submit(writes, writeSeq(2), create(2));
    proposals.flush();
    const [, second] = sent;
    if (second?.kind !== "proposals") throw new Error("it did not leave");
    const { batch } = second;
    const reason = "overloaded";
    exchange.onRefusal({ kind: "proposalsRefused", batch, reason, retryAfterMs: 100 });
    sent.length = 0;
    clock.advance(100);
    proposals.flush();
    expect(sent).toMatchObject([{ kind: "proposals", commands: [create(2)] }]);
  });

  test("sends again what could not leave", () => {
    const { clock, proposals, sent, state } = setUp();
    proposals.setLeader(PEER, false, term(1));
    proposals.submit(proposals.adopt(SESSION), writeSeq(1), create(1));
    state.linkUp = false;
    proposals.flush();
    state.linkUp = true;
    clock.advance(100);
    proposals.flush();
    expect(sent).toMatchObject([{ kind: "proposals" }]);
  });

  test("leaves no timer behind", () => {
    const { exchange, clock, proposals, state } = setUp();
    proposals.setLeader(PEER, false, term(1));
    state.linkUp = false;
    proposals.submitControl("attach:x", create(1));
    proposals.flush();
    expect(clock.nextDueMs()).not.toBeNull();
    exchange.stop();
    expect(clock.nextDueMs()).toBeNull();
    proposals.resendAll();
    proposals.flush();
    expect(clock.nextDueMs()).toBeNull();
  });
});
