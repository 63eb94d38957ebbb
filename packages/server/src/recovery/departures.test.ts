import { logIndex, nodeId, term, type NodeId, type RaftStatus } from "@quorate/raft";
import { describe, expect, test, vi } from "vitest";
import { membershipOf } from "../../../../tests/support/members.ts";
import { peerOf, statusOf } from "../../../../tests/support/raft-status.ts";
import { ManualClock } from "../memory/manual-clock.ts";
import { Departures } from "./departures.ts";

const NEAR = nodeId(2);
const FAR = nodeId(3);
/** Longer than anybody takes to leave. */
const SETTLED_MS = 10_000;

function setUp(status: Partial<RaftStatus> = {}) {
  const clock = new ManualClock();
  const known = { status: statusOf(status), isStanding: false };
  const isUp = vi.fn<(id: NodeId) => boolean>(() => true);
  const hasRoom = vi.fn<(id: NodeId) => boolean>(() => true);
  const ask = vi.fn<(leader: NodeId, question: number) => boolean>(() => true);
  const answer = vi.fn<(to: NodeId, question: number, ok: boolean) => void>();
  const departures = new Departures({
    ...{ clock, isUp, hasRoom, ask, answer },
    electionTimeoutMs: 600,
    status: () => known.status,
    isStanding: () => known.isStanding,
  });
  const become = (changes: Partial<RaftStatus>): void => {
    known.status = { ...known.status, ...changes };
    departures.keep();
  };
  departures.keep();
  clock.advance(SETTLED_MS);
  return { departures, clock, known, become, isUp, hasRoom, ask, answer };
}

function answerTo(question: number, ok: boolean) {
  return { kind: "leaveAnswer", question, ok } as const;
}

describe("a leader that is damaged", () => {
  test("leaves where the others can decide", async () => {
    await expect(setUp().departures.mayLeave()).resolves.toBe(true);
  });

  test.each([
    ["is far behind", { peers: [peerOf(NEAR), peerOf(FAR, { matchIndex: logIndex(40) })] }],
    ["is not heard of", { peers: [peerOf(NEAR), peerOf(FAR, { recentlyActive: false })] }],
    ["is not known", { peers: [peerOf(NEAR)] }],
    ["votes only in the outgoing half", { membership: membershipOf([1, 2], [], [1, 3]) }],
  ])("stays where one of them %s", async (_what, status) => {
    await expect(setUp(status).departures.mayLeave()).resolves.toBe(false);
  });

  test("stays where one of them has no room, or no link leads to it", async () => {
    const full = setUp();
    full.hasRoom.mockImplementation((id) => id !== FAR);
    await expect(full.departures.mayLeave()).resolves.toBe(false);
    const cut = setUp();
    cut.isUp.mockImplementation((id) => id !== FAR);
    await expect(cut.departures.mayLeave()).resolves.toBe(false);
  });

  test("leaves although the others lack what was committed since the last look", async () => {
    const { departures, known } = setUp();
    known.status = { ...known.status, commitIndex: logIndex(70) };
    await expect(departures.mayLeave()).resolves.toBe(true);
    departures.keep();
    await expect(departures.mayLeave()).resolves.toBe(false);
  });

  test("waits for as long as somebody may be leaving whom the leader before it let go", async () => {
    const { departures, clock, become, answer } = setUp();
    become({ term: term(2) });
    clock.advance(4_000);
    const settled = vi.fn();
    void departures.mayLeave().then(settled);
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    departures.onEnvelope(NEAR, { kind: "leave", question: 5 });
    expect(answer).toHaveBeenLastCalledWith(NEAR, 5, false);
    expect(settled).not.toHaveBeenCalled();
    clock.advance(SETTLED_MS);
    await vi.waitFor(() => expect(settled).toHaveBeenCalledExactlyOnceWith(true));
  });

  test("asks who leads by then, where it waited and leads no more", async () => {
    const { departures, clock, become, ask } = setUp();
    become({ term: term(2) });
    const answer = departures.mayLeave();
    become({ term: term(3), role: "follower", leader: FAR, peers: [] });
    clock.advance(5_200);
    expect(ask).toHaveBeenCalledExactlyOnceWith(FAR, 1);
    departures.onEnvelope(FAR, answerTo(1, true));
    await expect(answer).resolves.toBe(true);
  });
});

describe("a leader that is asked", () => {
  test("lets one leave at a time, itself included", async () => {
    const { departures, clock, answer } = setUp();
    departures.onEnvelope(NEAR, { kind: "leave", question: 5 });
    departures.onEnvelope(FAR, { kind: "leave", question: 6 });
    expect(answer.mock.calls).toEqual([
      [NEAR, 5, true],
      [FAR, 6, false],
    ]);
    await expect(departures.mayLeave()).resolves.toBe(false);
    clock.advance(SETTLED_MS);
    departures.keep();
    await expect(departures.mayLeave()).resolves.toBe(true);
    departures.onEnvelope(FAR, { kind: "leave", question: 7 });
    expect(answer).toHaveBeenLastCalledWith(FAR, 7, false);
  });

  test("lets who asks again leave", () => {
    const { departures, answer } = setUp();
    departures.onEnvelope(NEAR, { kind: "leave", question: 5 });
    departures.onEnvelope(NEAR, { kind: "leave", question: 6 });
    expect(answer).toHaveBeenLastCalledWith(NEAR, 6, true);
  });

  test("counts itself only where its log goes on", () => {
    const { departures, known, answer } = setUp();
    known.isStanding = true;
    departures.onEnvelope(NEAR, { kind: "leave", question: 5 });
    expect(answer).toHaveBeenLastCalledWith(NEAR, 5, false);
  });

  test("and does not lead lets nobody go", () => {
    const { departures, answer } = setUp({ role: "follower", leader: FAR, peers: [] });
    departures.onEnvelope(NEAR, { kind: "leave", question: 5 });
    expect(answer).toHaveBeenLastCalledWith(NEAR, 5, false);
  });
});

describe("a follower that is damaged", () => {
  const FOLLOWER = { role: "follower", leader: FAR, peers: [] } as const;

  test.each([true, false])("hears %s from its leader", async (ok) => {
    const { departures, ask } = setUp(FOLLOWER);
    const answer = departures.mayLeave();
    expect(ask).toHaveBeenCalledExactlyOnceWith(FAR, 1);
    departures.onEnvelope(FAR, answerTo(1, ok));
    await expect(answer).resolves.toBe(ok);
  });

  test("goes by no other node's word, nor by what came too late", async () => {
    const { departures, clock } = setUp(FOLLOWER);
    const first = departures.mayLeave();
    departures.onEnvelope(NEAR, answerTo(1, true));
    clock.advance(1_000);
    await expect(first).resolves.toBe(false);
    const second = departures.mayLeave();
    departures.onEnvelope(FAR, answerTo(1, true));
    departures.onEnvelope(FAR, answerTo(2, false));
    await expect(second).resolves.toBe(false);
  });

  test("stays where nobody leads, or nothing can be sent", async () => {
    await expect(setUp({ ...FOLLOWER, leader: null }).departures.mayLeave()).resolves.toBe(false);
    const { departures, ask } = setUp(FOLLOWER);
    ask.mockReturnValue(false);
    await expect(departures.mayLeave()).resolves.toBe(false);
  });

  test("asks nobody any more once it stops", () => {
    const { departures, clock } = setUp(FOLLOWER);
    const settled = vi.fn();
    void departures.mayLeave().then(settled);
    departures.stop();
    clock.advance(SETTLED_MS);
    departures.onEnvelope(FAR, answerTo(1, true));
    expect(settled).not.toHaveBeenCalled();
  });
});
