import { logIndex, term, type RaftConfig } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { membershipOf } from "../support/members.ts";
import { LoneCore } from "./lone-core.ts";

const LEASE: RaftConfig["lease"] = { promiseMs: 100, durationMs: 80 };

/** Leads three voters with a term that is open; its clock says 1,000 ms, and its promise of the start is over. */
function leader(voters: readonly number[] = [1, 2, 3]): LoneCore {
  const node = new LoneCore({ voters, config: { lease: LEASE } });
  tellClock(node, 500);
  tellClock(node, 1_000);
  const others = voters.slice(1);
  node.awaitCampaign();
  for (const peer of others) node.vote(peer, true, { preVote: true });
  node.persistAll();
  for (const peer of others) node.vote(peer, true);
  node.persistAll();
  for (const peer of others) node.acknowledge(peer, 1);
  expect(node.role).toBe("leader");
  expect(node.commitIndex).toBe(1);
  node.take();
  return node;
}

function tellClock(node: LoneCore, nowMs: number): void {
  node.step({ kind: "clock", nowMs });
}

function promise(node: LoneCore, from: number, round: number, promiseMs = 100): void {
  node.receive("heartbeatReply", { from, term: node.term }, { round, promiseMs });
}

/** Asks for a read index, and gives what is answered at once. */
function answersOf(node: LoneCore): readonly (number | null)[] {
  node.takeReadies();
  node.step({ kind: "readIndex", context: { nonce: 1, counter: 1 } });
  return indexesIn(node);
}

function indexesIn(node: LoneCore): readonly (number | null)[] {
  return node.takeReadies().flatMap(({ reads }) => reads.map(({ index }) => index));
}

/** True if a read is answered at once, false if it has others asked first. */
function readsAtOnce(node: LoneCore): boolean {
  node.take();
  const reads = answersOf(node);
  const isAsking = node.take("heartbeat").length > 0;
  expect(isAsking).toBe(reads.length === 0);
  return !isAsking;
}

describe("a lease", () => {
  test("begins with the promises of a quorum", () => {
    const node = leader();
    expect(node.core.status().hasLease).toBe(false);
    promise(node, 2, 1);
    expect(node.core.status().hasLease).toBe(true);
    expect(readsAtOnce(node)).toBe(true);
  });

  test("lasts from when the heartbeats left", () => {
    const node = leader();
    tellClock(node, 1_079);
    promise(node, 2, 1);
    expect(readsAtOnce(node)).toBe(true);
    tellClock(node, 1_080);
    expect(readsAtOnce(node)).toBe(false);
  });

  test("counts no promise that is shorter than its own, and no answer without one", () => {
    const node = leader();
    promise(node, 2, 1, 0);
    promise(node, 3, 1, 99);
    expect(readsAtOnce(node)).toBe(false);
  });

  test("needs a majority of five", () => {
    const node = leader([1, 2, 3, 4, 5]);
    promise(node, 2, 1);
    expect(readsAtOnce(node)).toBe(false);
    promise(node, 3, 1);
    expect(readsAtOnce(node)).toBe(true);
  });

  test("needs majorities of both sides while the membership is joint", () => {
    const node = leader();
    promise(node, 2, 1);
    expect(readsAtOnce(node)).toBe(true);
    const membership = membershipOf([1, 4, 5]);
    expect(node.step({ kind: "proposeMembership", membership }).ok).toBe(true);
    expect(readsAtOnce(node)).toBe(false);
    promise(node, 4, 2);
    expect(readsAtOnce(node)).toBe(true);
  });

  test("is over with the clock of a process that stood still", () => {
    const node = leader();
    promise(node, 2, 1);
    tellClock(node, 60_000);
    expect(readsAtOnce(node)).toBe(false);
  });

  test("does not come back in a term in which somebody was told to take over", () => {
    const node = leader();
    promise(node, 2, 1);
    const [to] = node.core.status().peers;
    expect(node.step({ kind: "transferLeadership", to: to!.id }).ok).toBe(true);
    expect(readsAtOnce(node)).toBe(false);
    node.tick(1);
    promise(node, 2, 3);
    promise(node, 3, 3);
    expect(readsAtOnce(node)).toBe(false);
  });

  test("is not had before an entry of the own term is committed", () => {
    const node = new LoneCore({ terms: [1, 1], config: { lease: LEASE } });
    tellClock(node, 500);
    tellClock(node, 1_000);
    node.awaitCampaign();
    node.vote(2, true, { preVote: true });
    node.persistAll();
    node.vote(2, true);
    promise(node, 2, 1);
    expect(answersOf(node)).toEqual([]);
    node.persistAll();
    node.acknowledge(2, 3);
    expect(indexesIn(node)).toEqual([3]);
  });

  test("is nothing without the clock", () => {
    const node = new LoneCore({ config: { lease: LEASE } });
    node.tick(100);
    expect(node.role).toBe("follower");
  });
});

describe("who promised", () => {
  function follower(): LoneCore {
    const node = new LoneCore({ config: { lease: LEASE } });
    tellClock(node, 500);
    tellClock(node, 1_000);
    node.receive(
      "heartbeat",
      { from: 2, term: 1 },
      { commitIndex: logIndex(0), commitTerm: term(0), round: 1 },
    );
    node.persistAll();
    node.take();
    return node;
  }

  function isGranted(node: LoneCore): boolean {
    node.persistAll();
    return node.take("requestVoteReply").some(({ granted }) => granted);
  }

  test("says for how long", () => {
    const node = follower();
    node.receive(
      "heartbeat",
      { from: 2, term: 1 },
      { commitIndex: logIndex(0), commitTerm: term(0), round: 2 },
    );
    expect(node.take("heartbeatReply")).toMatchObject([{ round: 2, promiseMs: 100 }]);
  });

  test("votes for nobody else, also once a later term made it forget its leader", () => {
    const node = follower();
    node.receive("requestVoteReply", { from: 3, term: 5 }, { preVote: false, granted: false });
    expect(node.term).toBe(5);
    tellClock(node, 1_099);
    node.askVote({ from: 3, term: 6 }, [9, 5]);
    node.askVote({ from: 3, term: 6 }, [9, 5], { preVote: true });
    expect(node.term).toBe(5);
    expect(isGranted(node)).toBe(false);
    tellClock(node, 1_100);
    node.askVote({ from: 3, term: 6 }, [9, 5]);
    expect(isGranted(node)).toBe(true);
  });

  test("gives the leader that it promised to its vote again", () => {
    const node = follower();
    node.askVote({ from: 2, term: 2 }, [9, 1]);
    expect(isGranted(node)).toBe(true);
  });

  test("votes for whom the leader told to take over", () => {
    const node = follower();
    node.askVote({ from: 3, term: 2 }, [9, 1], { transfer: true });
    expect(isGranted(node)).toBe(true);
  });

  test("does not stand for election, whatever its ticks say", () => {
    const node = follower();
    node.step({ kind: "peerUnreachable", peer: node.core.status().leader! });
    node.tick(50);
    node.step({ kind: "campaign" });
    expect(node.role).toBe("follower");
    tellClock(node, 1_100);
    node.tick(1);
    expect(node.role).toBe("preCandidate");
  });
});
