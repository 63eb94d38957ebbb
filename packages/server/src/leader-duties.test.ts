import { DataTree, TREE_LIMITS, decodeCommand } from "@quorate/kv-store";
import { sessionId, writeSeq, zxid, type SessionId } from "@quorate/kv-store/protocol";
import { logIndex, nodeId, term, type Role } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { LeaderDuties } from "./leader-duties.ts";
import { ManualClock } from "./memory/manual-clock.ts";
import { ManualWallClock } from "./memory/manual-wall-clock.ts";
import { ProposalIntake } from "./proposal-intake.ts";
import type { WaitingRead } from "./reads.ts";

const PEER = nodeId(2);
const MIB = 1_048_576;
const STAMP = { timeMs: 1, clockMs: 100 };

function setUp(intakeCount = 100) {
  const clock = new ManualClock(5_000);
  const wallClock = new ManualWallClock(1_000_000);
  const tree = new DataTree(TREE_LIMITS);
  const session = openSession(tree, 1, 1000);
  const intake = new ProposalIntake({
    bytesMax: MIB,
    countMax: intakeCount,
    batchBytesMax: MIB,
    batchCountMax: 100,
  });
  const confirms: WaitingRead[] = [];
  const answers: { to: number; batch: number; unknown: readonly number[] }[] = [];
  const duties = new LeaderDuties({
    clock,
    wallClock,
    intake,
    tree: () => tree,
    confirm: (read) => void confirms.push(read),
    answerTouches: (to, batch, unknown) => void answers.push({ to, batch, unknown }),
  });
  const become = (role: Role, at: number): void =>
    duties.onSoftState({ role, leader: role === "leader" ? nodeId(1) : null, term: term(at) });
  const lead = (at: number): void => {
    become("leader", at);
    duties.onApplied(term(at));
  };
  const confirm = (): void => {
    for (const read of confirms.splice(0)) read.run?.(logIndex(1));
  };
  const proposed = () =>
    intake.peek({ timeMs: 1, clockMs: 1 }).map((bytes) => decodeCommand(bytes).command);
  return {
    ...{ clock, wallClock, tree, session, intake, answers, duties },
    ...{ become, lead, confirm, proposed },
  };
}

function openSession(tree: DataTree, at: number, timeoutMs: number): SessionId {
  const { result } = tree.apply(
    zxid(at),
    1,
    { timeMs: 1, clockMs: 100 },
    {
      kind: "openSession",
      verifier: new Uint8Array(16).fill(at),
      timeoutMs,
      attach: { node: 1, address: "", principal: "", clientName: "" },
    },
  );
  if (result.kind !== "attached") throw new Error("no session");
  return result.session;
}

describe("a leader's word on who lives", () => {
  test("is given only after its own entry is applied, a quorum's word, and in its term", () => {
    const { duties, become, confirm, answers, session } = setUp();
    become("leader", 2);
    duties.onTouches(PEER, 1, [session]);
    duties.onApplied(term(1));
    duties.onTouches(PEER, 2, [session]);
    confirm();
    expect(answers).toEqual([]);
    duties.onApplied(term(2));
    duties.onTouches(PEER, 3, [session]);
    expect(answers).toEqual([]);
    confirm();
    expect(answers).toEqual([{ to: PEER, batch: 3, unknown: [] }]);
  });

  test("is withheld when the term changed between the touch and the quorum's word", () => {
    const { duties, become, lead, confirm, answers, session } = setUp();
    lead(2);
    duties.onTouches(PEER, 1, [session]);
    become("follower", 3);
    confirm();
    duties.onTouches(PEER, 2, [session]);
    lead(4);
    confirm();
    expect(answers).toEqual([]);
  });

  test("is withheld when it leads again, in a later term", () => {
    const { duties, become, lead, confirm, answers, session } = setUp();
    lead(2);
    duties.onTouches(PEER, 1, [session]);
    become("follower", 3);
    lead(4);
    confirm();
    expect(answers).toEqual([]);
  });

  test("names the sessions that it does not keep alive", () => {
    const { duties, lead, confirm, answers, session } = setUp();
    lead(2);
    const stranger = sessionId(99);
    duties.onTouches(PEER, 1, [session, stranger]);
    confirm();
    expect(answers[0]?.unknown).toEqual([stranger]);
  });

  test("is not given for a session whose expiry is proposed", () => {
    const { duties, lead, confirm, answers, session } = setUp();
    lead(2);
    duties.onTick(2000);
    duties.onTouches(PEER, 1, [session]);
    confirm();
    expect(answers[0]?.unknown).toEqual([session]);
  });
});

describe("a leader's expiry", () => {
  test("carries its term and how much of the log it has applied", () => {
    const { duties, lead, proposed, session, tree } = setUp();
    lead(2);
    tree.skipTo(zxid(33));
    duties.onTick(2000);
    expect(proposed()).toEqual([
      { kind: "expireSessions", term: 2, basis: 33, sessions: [session] },
    ]);
  });

  test("ends nobody who attached before it in the log, unknown to the leader", () => {
    const { duties, lead, proposed, session, tree } = setUp();
    lead(2);
    duties.onTick(2000);
    const [expiry] = proposed();
    // In the log already when the leader swept, applied only afterwards.
    tree.apply(zxid(2), 2, STAMP, {
      ...{ kind: "attach", session, verifier: new Uint8Array(16).fill(1), timeoutMs: 1000 },
      attach: { node: 2, address: "", principal: "", clientName: "" },
    });
    if (expiry === undefined) throw new Error("no expiry");
    const { result } = tree.apply(zxid(3), 2, STAMP, expiry);
    expect(result).toMatchObject({ kind: "closed", sessions: [] });
  });

  test("is cut so that the ephemerals of one entry are bounded", () => {
    const { duties, lead, proposed, tree, session } = setUp();
    const sessions = [session];
    let index = 1;
    for (let count = 2; count <= 4; count += 1) {
      const other = openSession(tree, (index += 1), 1000);
      sessions.push(other);
      const ops = Array.from({ length: 400 }, (_, at) => ({
        ...{ kind: "create" as const, path: `/${count}-${at}`, data: new Uint8Array(0) },
        mode: "ephemeral" as const,
      }));
      tree.apply(zxid((index += 1)), 1, STAMP, {
        ...{ kind: "write", session: other, writeSeq: writeSeq(1), ackedSeq: 0, epoch: 0, ops },
      });
    }
    lead(2);
    duties.onTick(2000);
    const named = proposed().map((command) =>
      command.kind === "expireSessions" ? command.sessions : [],
    );
    expect(named).toEqual([sessions.slice(0, 3), sessions.slice(3)]);
  });

  test("is nobody's before it has applied its own entry", () => {
    const { duties, become, proposed } = setUp();
    become("leader", 2);
    for (let tick = 0; tick < 100; tick += 1) duties.onTick(100);
    expect(proposed()).toEqual([]);
  });

  test("waits the full timeout after a change of leader, and where the log did not confirm it", () => {
    const { duties, lead, intake, proposed, session } = setUp();
    lead(2);
    duties.onTick(990);
    lead(3);
    duties.onTick(990);
    expect(proposed()).toEqual([]);
    duties.onTick(500);
    expect(proposed()).toHaveLength(1);
    intake.clear();
    duties.onExpiryApplied([session], []);
    duties.onTick(990);
    expect(proposed()).toEqual([]);
    duties.onTick(500);
    expect(proposed()).toHaveLength(1);
  });

  test.each(["touched", "attached"])(
    "waits the full timeout from when a session was %s, however late in a long turn that was",
    (how) => {
      const { clock, duties, lead, proposed, session } = setUp();
      lead(2);
      // Where the steps in which sessions are looked at leave them the least.
      duties.onTick(99);
      clock.advance(190);
      if (how === "touched") duties.onTouches(PEER, 1, [session]);
      else {
        const verifier = new Uint8Array(16).fill(1);
        duties.onResult({
          ...{ kind: "attached", session, verifier, opened: false, timeoutMs: 1_000 },
          ...{ epoch: 1, node: 1, lastWriteSeq: 0 },
        });
      }
      duties.onTick(190);
      clock.advance(911);
      duties.onTick(911);
      expect(proposed()).toEqual([]);
      duties.onTick(400);
      expect(proposed()).toHaveLength(1);
    },
  );

  test("is dropped when there is no room for it, and the session lives on", () => {
    const { duties, lead, confirm, answers, session, intake } = setUp(1);
    lead(2);
    intake.add([new Uint8Array(20), new Uint8Array(20)]);
    duties.onTick(2000);
    duties.onTouches(PEER, 1, [session]);
    confirm();
    expect(answers[0]?.unknown).toEqual([]);
  });

  test("is not proposed again for a session that the log closed", () => {
    const { duties, lead, proposed, session } = setUp();
    lead(2);
    duties.onResult({ kind: "closed", sessions: [session], cause: "client" });
    duties.onTick(5000);
    expect(proposed()).toEqual([]);
    expect(duties.trackedSessions).toBe(0);
  });
});

describe("a leader's stamp", () => {
  test("goes on from the replicated clock by the time that this node admits while it leads", () => {
    const { duties, lead, wallClock, tree } = setUp();
    duties.onTick(70_000);
    lead(2);
    expect(duties.stamp().clockMs).toBe(tree.clockMs);
    duties.onTick(250);
    wallClock.set(9_000_000);
    expect(duties.stamp()).toEqual({ timeMs: 9_000_000, clockMs: tree.clockMs + 250 });
  });

  test("stands still while this node admits no time", () => {
    const { duties, lead, tree } = setUp();
    lead(2);
    duties.onTick(0);
    expect(duties.stamp().clockMs).toBe(tree.clockMs);
    duties.onTick(20);
    expect(duties.stamp().clockMs).toBe(tree.clockMs + 20);
  });
});

describe("a leader's queue", () => {
  test("is emptied whenever it gains or loses the lead", () => {
    const { become, lead, intake } = setUp();
    lead(2);
    intake.add([new Uint8Array(20)]);
    become("follower", 3);
    expect(intake.count).toBe(0);
  });
});
