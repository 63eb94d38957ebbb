import { logIndex, nodeId, term, type RaftConfig } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { membershipOf } from "../support/members.ts";
import { LoneCore } from "./lone-core.ts";

const hello = new TextEncoder().encode("hello");

describe("thesis, section 3.10: leadership transfer", () => {
  test("the successor stands at once, and others skip stickiness for it", () => {
    const node = new LoneCore({ terms: [1] });
    node.append({ from: 2, term: 1 }, [1, 1], []);
    node.receive("timeoutNow", { from: 2, term: 1 }, {});
    expect(node.role).toBe("candidate");
    node.persist();
    expect(node.take("requestVote")).toMatchObject([{ transfer: true }, { transfer: true }]);
  });

  test("only the leader can order it", () => {
    const node = new LoneCore({ terms: [1] });
    node.append({ from: 2, term: 1 }, [1, 1], []);
    node.receive("timeoutNow", { from: 3, term: 1 }, {});
    expect(node.role).toBe("follower");
  });
});

describe("thesis, section 4: membership", () => {
  test("a learner that is asked votes by the rules (etcd, issue 10998)", () => {
    const node = new LoneCore({ voters: [2, 3], learners: [1] });
    node.askVote({ from: 2, term: 1 }, [0, 0]);
    node.persist();
    expect(node.take("requestVoteReply")).toMatchObject([{ granted: true }]);
  });

  test("a candidate that this node has not heard of gets its vote by the rules (section 4.1)", () => {
    const node = new LoneCore();
    node.askVote({ from: 9, term: 1 }, [0, 0]);
    node.persist();
    expect(node.take("requestVoteReply")).toMatchObject([{ to: 9, granted: true }]);
  });

  test("a stranger's replies of a newer term depose nobody (section 4.2.3)", () => {
    const node = new LoneCore();
    node.lead();
    node.receive("heartbeatReply", { from: 9, term: 8 }, { round: 1, promiseMs: 0 });
    expect(node.role).toBe("leader");
    node.receive("heartbeatReply", { from: 2, term: 8 }, { round: 1, promiseMs: 0 });
    expect(node.role).toBe("follower");
  });

  test("a learner's acknowledgement commits nothing", () => {
    const node = new LoneCore({ voters: [1, 2, 3], learners: [4] });
    node.lead();
    node.acknowledge(4, 1);
    expect(node.commitIndex).toBe(0);
  });

  test("a leader that is removed leads until that is committed, then has a successor stand (section 4.2.2)", () => {
    const node = new LoneCore();
    node.lead();
    node.acknowledge(2, 1);
    node.step({ kind: "propose", commands: [new Uint8Array(1)] });
    node.step({ kind: "proposeMembership", membership: membershipOf([2, 3]) });
    node.persistAll();
    node.acknowledge(2, 2);
    node.acknowledge(3, 2);
    expect([node.role, node.commitIndex]).toEqual(["leader", 2]);
    node.acknowledge(2, 3);
    expect(node.role).toBe("leader");
    node.take();
    node.acknowledge(3, 3);
    expect([node.role, node.commitIndex]).toEqual(["follower", 3]);
    expect(node.take("timeoutNow")).toHaveLength(1);
  });

  test("a change of one voter is accepted once the term is open, a second one waits", () => {
    const node = new LoneCore();
    node.lead();
    const propose = (voters: readonly number[]) =>
      node.step({ kind: "proposeMembership", membership: membershipOf(voters) });
    expect(propose([1, 2, 3, 4])).toMatchObject({ reason: "membershipPending" });
    node.acknowledge(2, 1);
    expect(propose([])).toMatchObject({ reason: "membershipInvalid" });
    expect(propose([1, 2, 3, 4])).toEqual({ ok: true, index: 2 });
    expect(propose([1, 2, 3])).toMatchObject({ reason: "membershipPending" });
    expect(node.core.status().membership.voters).toEqual([1, 2, 3, 4]);
  });
});

describe("thesis, section 4.2.3: leader stickiness", () => {
  function followerOf2(): LoneCore {
    const node = new LoneCore({ terms: [1] });
    node.append({ from: 2, term: 1 }, [1, 1], []);
    node.take();
    return node;
  }

  test("who hears a leader neither votes nor takes the term over", () => {
    const node = followerOf2();
    node.askVote({ from: 3, term: 5 }, [9, 4]);
    expect(node.take()).toEqual([]);
    expect(node.term).toBe(1);
    node.askVote({ from: 3, term: 5 }, [9, 4], { preVote: true });
    expect(node.take("requestVoteReply")).toMatchObject([{ granted: false, term: 1 }]);
  });

  test.each([
    ["the leader itself asks", (): void => undefined, 2, false],
    ["the leader hands over", (): void => undefined, 3, true],
    ["the link to the leader broke", breakLink, 3, false],
    ["an election timeout has passed", (node: LoneCore) => node.tick(5), 3, false],
  ])("lifted when %s", (_when, prepare, from, transfer) => {
    const node = followerOf2();
    prepare(node);
    node.askVote({ from, term: 5 }, [9, 4], { transfer });
    expect(node.term).toBe(5);
    node.persistAll();
    expect(node.take("requestVoteReply")).toMatchObject([{ to: from, granted: true }]);
  });

  function breakLink(node: LoneCore): void {
    node.step({ kind: "peerUnreachable", peer: nodeId(2) });
  }
});

describe("thesis, section 9.6: pre-vote", () => {
  test("asking around changes neither term nor vote", () => {
    const node = new LoneCore({ terms: [2] });
    node.awaitCampaign();
    expect(node.core.status()).toMatchObject({ role: "preCandidate", term: 2, votedFor: null });
    expect(node.isWriting).toBe(false);
    expect(node.take("requestVote")).toMatchObject([
      { term: 3, preVote: true },
      { term: 3, preVote: true },
    ]);
  });

  test("a grant carries the campaign's term and promises nothing", () => {
    const node = new LoneCore({ terms: [2] });
    node.askVote({ from: 2, term: 6 }, [1, 2], { preVote: true });
    node.askVote({ from: 3, term: 6 }, [1, 2], { preVote: true });
    expect(node.take("requestVoteReply")).toMatchObject([
      { to: 2, term: 6, granted: true },
      { to: 3, term: 6, granted: true },
    ]);
    expect(node.core.status()).toMatchObject({ term: 2, votedFor: null });
  });

  test("a refusal with a newer term takes the asker there; one with an older term still counts", () => {
    const ahead = new LoneCore({ terms: [2] });
    ahead.awaitCampaign();
    ahead.receive("requestVoteReply", { from: 2, term: 7 }, { preVote: true, granted: false });
    expect(ahead.core.status()).toMatchObject({ role: "follower", term: 7 });
    const behind = new LoneCore({ terms: [2] });
    behind.awaitCampaign();
    for (const from of [2, 3]) {
      behind.receive("requestVoteReply", { from, term: 1 }, { preVote: true, granted: false });
    }
    expect(behind.core.status()).toMatchObject({ role: "follower", term: 2 });
  });
});

describe("thesis, section 6.2: a leader without a quorum", () => {
  test("steps down after an election timeout without contact", () => {
    const node = new LoneCore();
    node.lead();
    node.tick(4);
    expect(node.role).toBe("leader");
    node.tick(1);
    expect(node.role).toBe("follower");
  });

  test("steps down when nothing gets committed although a quorum answers", () => {
    const node = new LoneCore();
    node.lead();
    for (let at = 0; at < 15; at += 1) {
      node.receive("heartbeatReply", { from: 2, term: node.term }, { round: 1, promiseMs: 0 });
      node.tick();
    }
    expect(node.role).toBe("follower");
  });
});

describe("thesis, section 6.4: reads", () => {
  const context = { nonce: 1, counter: 1 };

  function waiting(): LoneCore {
    const node = new LoneCore({ terms: [1] });
    node.append({ from: 2, term: 1 }, [1, 1], []);
    node.step({ kind: "readIndex", context });
    expect(node.take("readIndexRequest")).toMatchObject([{ to: 2, context }]);
    node.takeReadies();
    return node;
  }

  const reads = (node: LoneCore) => node.takeReadies().flatMap((ready) => ready.reads);

  test("the answer of the leader counts, once, and nobody else's", () => {
    const node = waiting();
    node.receive("readIndexReply", { from: 3, term: 1 }, { context, index: logIndex(9) });
    expect(reads(node)).toEqual([]);
    const other = { ...context, counter: 2 };
    node.receive("readIndexReply", { from: 2, term: 1 }, { context: other, index: logIndex(9) });
    expect(reads(node)).toEqual([]);
    node.receive("readIndexReply", { from: 2, term: 1 }, { context, index: logIndex(1) });
    expect(reads(node)).toEqual([{ context, index: 1 }]);
    node.receive("readIndexReply", { from: 2, term: 1 }, { context, index: logIndex(1) });
    expect(reads(node)).toEqual([]);
  });

  test("without an answer it is refused after an election timeout, though the leader is heard", () => {
    const node = waiting();
    for (let tick = 0; tick < 5; tick += 1) {
      expect(reads(node)).toEqual([]);
      node.receive(
        "heartbeat",
        { from: 2, term: 1 },
        { commitIndex: logIndex(0), commitTerm: term(0), round: tick + 1 },
      );
      node.tick();
    }
    expect(reads(node)).toEqual([{ context, index: null }]);
  });

  test("under a new leader what waits for the old one's answer is refused", () => {
    const node = waiting();
    node.receive(
      "heartbeat",
      { from: 3, term: 2 },
      { commitIndex: logIndex(0), commitTerm: term(0), round: 1 },
    );
    expect(reads(node)).toEqual([{ context, index: null }]);
    node.receive("readIndexReply", { from: 2, term: 1 }, { context, index: logIndex(1) });
    expect(reads(node)).toEqual([]);
  });
});

describe("a disk that does not answer (hashicorp/raft, issues 503 and 614)", () => {
  test("its node asks for no votes, also when the pre-vote was won meanwhile", () => {
    const node = new LoneCore({ terms: [1] });
    node.append({ from: 2, term: 1 }, [1, 1], [1]);
    expect(node.isWriting).toBe(true);
    node.tick(5);
    expect(node.core.status().isDiskStuck).toBe(true);
    node.tick(20);
    expect(node.role).toBe("follower");
    node.persist();
    node.awaitCampaign();
    expect(node.role).toBe("preCandidate");
  });

  test("a pre-vote that is won with a disk that got stuck leads nowhere", () => {
    const node = new LoneCore({ terms: [1] });
    node.append({ from: 2, term: 1 }, [1, 1], []);
    node.step({ kind: "peerUnreachable", peer: nodeId(2) });
    node.append({ from: 2, term: 1 }, [1, 1], [1]);
    node.step({ kind: "peerUnreachable", peer: nodeId(2) });
    node.awaitCampaign();
    expect(node.role).toBe("preCandidate");
    node.tick(4);
    expect(node.role).toBe("preCandidate");
    node.vote(3, true, { preVote: true });
    expect(node.core.status().isDiskStuck).toBe(true);
    expect(node.core.status()).toMatchObject({ role: "follower", term: 1 });
  });
});

describe("a disk that is slow", () => {
  /** Leads with a backlog of an earlier term, of which each write takes an entry; node 2 has everything. */
  function leaderBehindItself(): LoneCore {
    const node = new LoneCore({ terms: [1], config: { persistBytesMax: 1 } });
    node.append({ from: 2, term: 1 }, [1, 1], [1, 1, 1, 1, 1, 1, 1, 1]);
    node.step({ kind: "peerUnreachable", peer: nodeId(2) });
    node.awaitCampaign();
    node.vote(2, true, { preVote: true });
    node.persist();
    node.persist();
    node.vote(2, true);
    expect(node.role).toBe("leader");
    node.acknowledge(2, 10);
    return node;
  }

  function tick(node: LoneCore, count: number): void {
    for (let at = 0; at < count; at += 1) {
      node.tick();
      node.receive("heartbeatReply", { from: 2, term: node.term }, { round: 1, promiseMs: 0 });
    }
  }

  test("deposes no leader as long as its backlog gets shorter", () => {
    const node = leaderBehindItself();
    for (; node.isWriting; node.persist()) {
      tick(node, 4);
      expect(node.role).toBe("leader");
    }
    expect(node.commitIndex).toBe(10);
  });

  test("deposes one that waits for others, however much it writes of its own", () => {
    const node = new LoneCore();
    node.lead();
    node.acknowledge(2, 1);
    for (let at = 0; at < 4; at += 1) {
      node.step({ kind: "propose", commands: [hello] });
      tick(node, 4);
      node.persistAll();
    }
    expect(node.core.status()).toMatchObject({ role: "follower", term: 1, commitIndex: 1 });
  });
});

describe("a leader that waits for voters, with a learner that does not", () => {
  /** Three election timeouts, in which node 2 answers heartbeats and the learner, node 4, does something in every tick. */
  function pass(node: LoneCore, inTick: (at: number) => void): void {
    node.step({ kind: "propose", commands: [hello] });
    node.persistAll();
    for (let at = 0; at < 15 && node.role === "leader"; at += 1) {
      node.tick();
      if (node.role !== "leader") return;
      node.receive("heartbeatReply", { from: 2, term: node.term }, { round: 1, promiseMs: 0 });
      inTick(at);
      node.persistAll();
    }
  }

  function leaderWithLearner(config: Partial<RaftConfig> = {}): LoneCore {
    const node = new LoneCore({ learners: [4], config });
    node.lead();
    return node;
  }

  test("is deposed however much the learner acknowledges", () => {
    const node = leaderWithLearner();
    node.acknowledge(2, 1);
    pass(node, () => {
      node.step({ kind: "propose", commands: [hello] });
      node.acknowledge(4, node.core.status().lastIndex);
    });
    expect(node.role).toBe("follower");
  });

  test("is deposed however often the learner refuses", () => {
    const node = leaderWithLearner();
    node.acknowledge(2, 1);
    node.acknowledge(4, 1);
    pass(node, () => {
      const { lastIndex } = node.core.status();
      node.step({ kind: "propose", commands: [hello] });
      node.refuse(4, lastIndex);
      node.acknowledge(4, 1);
    });
    expect(node.role).toBe("follower");
  });

  /** A leader of whose peers all but `peer` have everything; `peer` needs the snapshot that was just ordered for it. */
  function leaderThatSendsSnapshotTo(peer: number): LoneCore {
    const node = leaderWithLearner({ memoryLogBytesMax: 1 });
    node.step({ kind: "propose", commands: [hello] });
    node.persistAll();
    for (const other of [2, 3, 4]) if (other !== peer) node.acknowledge(other, 2);
    const snapshot = {
      index: logIndex(2),
      term: term(1),
      membership: membershipOf([1, 2, 3], [4]),
    };
    node.step({ kind: "compact", snapshot });
    for (const from of [2, peer, 2, peer, 2, peer]) {
      node.tick();
      node.receive("heartbeatReply", { from, term: 1 }, { round: 1, promiseMs: 0 });
    }
    const from = logIndex(1);
    node.step({ kind: "fetched", peer: nodeId(peer), from, prevTerm: term(0), entries: null });
    expect(node.take("installSnapshot")).toMatchObject([{ to: peer }]);
    return node;
  }

  test("is deposed although the learner is sent a snapshot, and is not while a voter is", () => {
    for (const [peer, role] of [
      [4, "follower"],
      [3, "leader"],
    ] as const) {
      const node = leaderThatSendsSnapshotTo(peer);
      pass(node, () => {});
      expect(node.role).toBe(role);
    }
  });

  test("is deposed while a voter is sent one snapshot after the other, of which nothing comes", () => {
    const node = leaderThatSendsSnapshotTo(3);
    let ordered = 0;
    pass(node, (at) => {
      node.receive("heartbeatReply", { from: 3, term: 1 }, { round: 1, promiseMs: 0 });
      ordered += node.take("installSnapshot").length;
      if (at % 4 === 3) node.step({ kind: "snapshotSent", to: nodeId(3), ok: false });
    });
    expect([ordered > 0, node.role]).toEqual([true, "leader"]);
    pass(node, () => {
      node.receive("heartbeatReply", { from: 3, term: 1 }, { round: 1, promiseMs: 0 });
    });
    expect(node.role).toBe("follower");
  });
});

describe("thesis, section 9.6: the answers to a pre-vote", () => {
  test("a refusal, which may be of an earlier campaign, gives way to a grant of this one", () => {
    const node = new LoneCore({ terms: [1] });
    node.awaitCampaign();
    node.vote(2, false, { preVote: true });
    node.vote(2, true, { preVote: true });
    expect(node.role).toBe("candidate");
  });

  test("a grant stands, and so does a real vote's refusal", () => {
    const node = new LoneCore({ voters: [1, 2, 3, 4, 5], terms: [1] });
    node.awaitCampaign();
    node.vote(2, true, { preVote: true });
    node.vote(2, false, { preVote: true });
    node.vote(3, true, { preVote: true });
    node.persistAll();
    node.vote(2, false);
    node.vote(2, true);
    node.vote(3, true);
    expect(node.role).toBe("candidate");
  });
});

describe("limits of proposals", () => {
  test("an entry above its limit, more than fits uncommitted, and a follower refuse; nothing changes", () => {
    const node = new LoneCore();
    expect(node.step({ kind: "propose", commands: [hello] })).toMatchObject({
      reason: "notLeader",
    });
    node.lead();
    const large = new Uint8Array(1_025);
    expect(node.step({ kind: "propose", commands: [hello, large] })).toMatchObject({
      reason: "entryTooLarge",
    });
    const half = new Uint8Array(1_000);
    expect(node.step({ kind: "propose", commands: [half, half, half] })).toMatchObject({
      ok: true,
    });
    expect(node.step({ kind: "propose", commands: [half] })).toMatchObject({
      reason: "uncommittedLimit",
    });
    node.persistAll();
    node.acknowledge(2, 4);
    expect(node.core.status().uncommittedBytes).toBe(0);
    expect(node.step({ kind: "propose", commands: [half] })).toMatchObject({ ok: true, index: 5 });
  });
});
