import { logIndex, nodeId, term, type Entry } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { membershipOf } from "../support/members.ts";
import { LoneCore } from "./lone-core.ts";

const hello = new TextEncoder().encode("hello");

describe("Raft paper, section 5.1: terms", () => {
  test.each(["follower", "candidate", "leader"])(
    "a %s takes a newer term over and follows",
    (role) => {
      const node = new LoneCore({ terms: [1] });
      if (role === "candidate") {
        node.awaitCampaign();
        node.vote(2, true, { preVote: true });
        node.persistAll();
      }
      if (role === "leader") node.lead();
      node.append({ from: 2, term: 9 }, [1, 1], []);
      expect(node.role).toBe("follower");
      expect(node.term).toBe(9);
      expect(node.core.status().leader).toBe(2);
    },
  );

  test("a term that no election can have led to is not taken over", () => {
    const node = new LoneCore({ terms: [1] });
    const heartbeat = { commitIndex: logIndex(0), commitTerm: term(0), round: 1 };
    node.receive("heartbeat", { from: 2, term: 2 ** 52 }, heartbeat);
    expect(node.term).toBe(1);
    node.receive("heartbeat", { from: 2, term: 2 ** 32 }, heartbeat);
    expect(node.term).toBe(2 ** 32);
  });

  test("an append of an older term is refused with the newer one", () => {
    const node = new LoneCore({ terms: [3] });
    node.append({ from: 2, term: 2 }, [0, 0], [2]);
    expect(node.take("appendEntriesReply")).toMatchObject([{ to: 2, term: 3, ok: false }]);
    expect(node.logTerms).toEqual([3]);
    expect(node.core.status().leader).toBeNull();
  });

  test("a vote of an older term is refused with the newer one", () => {
    const node = new LoneCore({ terms: [3] });
    node.askVote({ from: 2, term: 2 }, [9, 3]);
    expect(node.take("requestVoteReply")).toMatchObject([{ term: 3, granted: false }]);
  });
});

describe("Raft paper, section 5.2: elections", () => {
  test("a node starts as follower", () => {
    expect(new LoneCore().role).toBe("follower");
  });

  test("a follower that hears a leader stays one", () => {
    const node = new LoneCore({ terms: [1] });
    for (let at = 0; at < 30; at += 1) {
      node.tick();
      const content = { commitIndex: logIndex(0), commitTerm: term(0), round: at + 1 };
      node.receive("heartbeat", { from: 2, term: 1 }, content);
    }
    expect(node.role).toBe("follower");
    expect(node.term).toBe(1);
  });

  test("a follower that hears nothing asks around between one and two election timeouts", () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const node = new LoneCore({ config: { seed } });
      node.tick(4);
      expect(node.role).toBe("follower");
      node.tick(6);
      expect(node.role).toBe("preCandidate");
    }
  });

  test("timeouts differ between nodes of equal seed, and between rounds", () => {
    const seen = new Set<number>();
    for (let seed = 0; seed < 40; seed += 1) {
      const node = new LoneCore({ config: { seed } });
      let ticks = 0;
      while (node.role === "follower") {
        node.tick();
        ticks += 1;
      }
      seen.add(ticks);
    }
    expect([...seen].sort()).toEqual([5, 6, 7, 8, 9]);
  });

  test("a candidate raises the term, votes for itself and asks all others", () => {
    const node = new LoneCore({ voters: [1, 2, 3, 4, 5], terms: [2] });
    node.awaitCampaign();
    node.vote(2, true, { preVote: true });
    node.take();
    node.vote(3, true, { preVote: true });
    expect(node.core.status()).toMatchObject({ role: "candidate", term: 3, votedFor: 1 });
    node.persist();
    const asked = node.take("requestVote");
    expect(asked.map((message) => message.to)).toEqual([2, 3, 4, 5]);
    expect(asked[0]).toMatchObject({ term: 3, preVote: false, lastIndex: 1, lastTerm: 2 });
  });

  test.each([
    [1, [], "leader"],
    [3, [true], "leader"],
    [3, [false], "candidate"],
    [3, [false, false], "follower"],
    [4, [true], "candidate"],
    [4, [true, true], "leader"],
    [4, [false, false], "follower"],
    [5, [true], "candidate"],
    [5, [true, true], "leader"],
    [5, [true, false, false, true], "leader"],
    [5, [false, false, false], "follower"],
  ])("of %i voters, the answers %j make it a %s", (count, answers, role) => {
    const node = new LoneCore({ voters: Array.from({ length: count }, (_, at) => at + 1) });
    node.awaitCampaign();
    for (let peer = 2; peer <= count && node.role === "preCandidate"; peer += 1) {
      node.vote(peer, true, { preVote: true });
    }
    node.persistAll();
    answers.forEach((granted, at) => node.vote(at + 2, granted));
    expect(node.role).toBe(role);
  });

  test("a voter gives its vote of a term to the first who asks, and again to the same", () => {
    const node = new LoneCore();
    node.askVote({ from: 2, term: 1 }, [0, 0]);
    node.persist();
    node.askVote({ from: 3, term: 1 }, [0, 0]);
    node.askVote({ from: 2, term: 1 }, [0, 0]);
    expect(node.take("requestVoteReply")).toMatchObject([
      { to: 2, granted: true },
      { to: 3, granted: false },
      { to: 2, granted: true },
    ]);
  });

  test("a voter that gave its vote waits for the candidate a whole timeout", () => {
    let ticks = 0;
    for (const waiting = new LoneCore(); waiting.role === "follower"; ticks += 1) waiting.tick();
    const node = new LoneCore();
    node.tick(ticks - 1);
    node.askVote({ from: 2, term: 1 }, [0, 0]);
    node.tick(4);
    expect([node.role, node.term]).toEqual(["follower", 1]);
  });

  test("a candidate that meets the leader of its term follows, and its vote stays given", () => {
    const node = new LoneCore();
    node.awaitCampaign();
    node.vote(2, true, { preVote: true });
    node.persistAll();
    node.append({ from: 3, term: 1 }, [0, 0], []);
    expect(node.core.status()).toMatchObject({ role: "follower", leader: 3, votedFor: 1 });
    node.take();
    node.askVote({ from: 2, term: 1 }, [5, 1]);
    expect(node.take("requestVoteReply")).toMatchObject([{ granted: false }]);
  });

  test("a leader sends heartbeats", () => {
    const node = new LoneCore();
    node.lead();
    node.tick();
    expect(node.take("heartbeat").map((message) => message.to)).toEqual([2, 3]);
  });
});

describe("Raft paper, section 5.3: replication", () => {
  test("a leader sends a proposal at once and commits it once a majority has it on disk", () => {
    const node = new LoneCore();
    node.lead();
    node.acknowledge(2, 1);
    node.take();
    expect(node.step({ kind: "propose", commands: [hello] })).toEqual({ ok: true, index: 2 });
    expect(node.take("appendEntries")).toMatchObject([
      { to: 2, prevIndex: 1, entries: [{ index: 2 }] },
    ]);
    node.acknowledge(2, 2);
    expect(node.commitIndex).toBe(1);
    node.persist();
    expect(node.commitIndex).toBe(2);
  });

  test("a commit takes everything before it along and is pushed to followers at once", () => {
    const node = new LoneCore({ terms: [1, 1, 2] });
    node.lead();
    node.acknowledge(2, 4);
    expect(node.commitIndex).toBe(4);
    expect(node.take("commitNotice")).toMatchObject([{ to: 2, commitIndex: 4 }]);
    const applied = node.takeReadies().flatMap((ready) => ready.committed);
    expect(applied.map((entry) => entry.index)).toEqual([1, 2, 3, 4]);
  });

  test("a follower acknowledges only what its disk has", () => {
    const node = new LoneCore();
    node.append({ from: 2, term: 1 }, [0, 0], [1, 1]);
    expect(node.take("appendEntriesReply")).toEqual([]);
    node.persist();
    expect(node.take("appendEntriesReply")).toMatchObject([{ ok: true, matchIndex: 2 }]);
  });

  test("a follower acknowledges nothing before the term is on disk", () => {
    const node = new LoneCore({ terms: [1] });
    node.append({ from: 2, term: 4 }, [1, 1], []);
    expect(node.take("appendEntriesReply")).toEqual([]);
    node.persist();
    expect(node.take("appendEntriesReply")).toMatchObject([{ ok: true, matchIndex: 1, term: 4 }]);
  });

  test.each([
    [[1], [3, 3], "lacks entries", 1, 1],
    [[1, 1, 1, 1], [3, 3], "has another term there", 3, 1],
    [[1, 1, 2, 2], [4, 1], "has newer terms there", 2, 1],
    [[1, 4, 4], [3, 3], "has only newer terms", 1, 1],
  ])("log %j refuses an append after %j: it %s", (terms, prev, ...[, hintIndex, hintTerm]) => {
    const node = new LoneCore({ terms, term: 5 });
    node.append({ from: 2, term: 5 }, [prev[0]!, prev[1]!], [5]);
    expect(node.take("appendEntriesReply")).toMatchObject([
      { ok: false, rejectedIndex: prev[0], hintIndex, hintTerm },
    ]);
    expect(node.logTerms).toEqual(terms);
  });

  test.each([
    [[1, 1], [2, 1], [2], [1, 1, 2]],
    [[1, 1, 1], [1, 1], [2], [1, 2]],
    [
      [1, 1, 1],
      [0, 0],
      [1, 1],
      [1, 1, 1],
    ],
    [[1, 1, 1], [1, 1], [], [1, 1, 1]],
    [
      [1, 1, 1],
      [1, 1],
      [1, 2, 2],
      [1, 1, 2, 2],
    ],
  ])("log %j after an append at %j of %j is %j", (terms, prev, sent, result) => {
    const node = new LoneCore({ terms });
    node.append({ from: 2, term: 2 }, [prev[0]!, prev[1]!], sent);
    expect(node.logTerms).toEqual(result);
  });

  test("a leader goes back to where the logs agree and sends from there", () => {
    const node = new LoneCore({ terms: [1, 1, 3, 3, 3], term: 3 });
    node.lead();
    node.receive(
      "appendEntriesReply",
      { from: 2, term: 4 },
      {
        ok: false,
        matchIndex: logIndex(0),
        rejectedIndex: logIndex(5),
        hintIndex: logIndex(4),
        hintTerm: term(2),
      },
    );
    expect(node.take("appendEntries")).toMatchObject([{ to: 2, prevIndex: 2, prevTerm: 1 }]);
  });

  test("an acknowledgement of more than was ever sent is no acknowledgement", () => {
    const node = new LoneCore();
    node.lead();
    node.acknowledge(2, 2);
    expect(node.commitIndex).toBe(0);
    expect(node.core.status().peers[0]).toMatchObject({ id: 2, matchIndex: 0, state: "probe" });
  });

  test("a refusal that comes again changes nothing", () => {
    const node = new LoneCore({ terms: [1, 1, 1] });
    node.lead();
    const refuse = (): void =>
      node.receive(
        "appendEntriesReply",
        { from: 2, term: 2 },
        {
          ok: false,
          matchIndex: logIndex(0),
          rejectedIndex: logIndex(3),
          hintIndex: logIndex(1),
          hintTerm: term(1),
        },
      );
    refuse();
    expect(node.take("appendEntries")).toHaveLength(1);
    refuse();
    expect(node.take("appendEntries")).toHaveLength(0);
  });

  test("commitIndex never exceeds what is known to be the leader's", () => {
    const node = new LoneCore({ terms: [1, 1, 1] });
    node.append({ from: 2, term: 2 }, [1, 1], [], 3);
    expect(node.commitIndex).toBe(1);
    expect(node.logTerms).toEqual([1, 1, 1]);
  });

  test("a notice of a commit covers no tail that may be another leader's", () => {
    const node = new LoneCore({ terms: [1, 1, 2] });
    node.append({ from: 2, term: 3 }, [1, 1], [1]);
    node.receive("commitNotice", { from: 2, term: 3 }, { commitIndex: logIndex(3) });
    expect(node.commitIndex).toBe(2);
    expect(node.logTerms).toEqual([1, 1, 2]);
  });
});

describe("Raft paper, section 5.4: safety", () => {
  test.each([
    [[1], [1, 1], true],
    [[1], [2, 1], true],
    [[1, 1], [1, 1], false],
    [[2], [1, 1], false],
    [[2], [5, 1], false],
    [[1, 1, 1], [1, 2], true],
    [[], [0, 0], true],
  ])("a voter with log %j asked with %j grants: %s", (terms, last, granted) => {
    const node = new LoneCore({ terms });
    node.askVote({ from: 2, term: 7 }, [last[0]!, last[1]!]);
    node.persistAll();
    expect(node.take("requestVoteReply")).toMatchObject([{ granted }]);
  });

  test("entries of earlier terms are not committed by counting (figure 8)", () => {
    const node = new LoneCore({ terms: [1, 2], term: 2 });
    node.lead();
    node.acknowledge(2, 2);
    expect(node.commitIndex).toBe(0);
    node.acknowledge(2, 3);
    expect(node.commitIndex).toBe(3);
  });
});

describe("Raft paper, section 5.5 and thesis, section 3.8: durability", () => {
  test("a vote leaves only when it is on disk", () => {
    const node = new LoneCore();
    node.askVote({ from: 2, term: 1 }, [0, 0]);
    expect(node.take("requestVoteReply")).toEqual([]);
    node.persist();
    expect(node.take("requestVoteReply")).toMatchObject([{ granted: true }]);
  });

  test("a candidate asks only when its own vote is on disk", () => {
    const node = new LoneCore();
    node.awaitCampaign();
    node.take();
    node.vote(2, true, { preVote: true });
    expect(node.take("requestVote")).toEqual([]);
    node.persist();
    expect(node.take("requestVote")).toHaveLength(2);
  });

  test("a leader counts its own log only as far as its disk has it", () => {
    const node = new LoneCore();
    node.awaitCampaign();
    node.vote(2, true, { preVote: true });
    node.persist();
    node.vote(2, true);
    expect(node.isWriting).toBe(true);
    node.acknowledge(2, 1);
    expect(node.commitIndex).toBe(0);
    node.persist();
    expect(node.commitIndex).toBe(1);
  });

  test("nothing is added to a list of work that was handed out", () => {
    const node = new LoneCore();
    node.lead();
    node.step({ kind: "propose", commands: [hello] });
    node.step({ kind: "readIndex", context: { nonce: 1, counter: 1 } });
    node.tick(5);
    node.receive(
      "heartbeat",
      { from: 2, term: 9 },
      { commitIndex: logIndex(0), commitTerm: term(0), round: 1 },
    );
    const readies = node.takeReadies();
    const told = readies.flatMap(({ messages, reads }) => [...messages, ...reads]);
    expect(new Set(told).size).toBe(told.length);
    expect(readies.flatMap(({ reads }) => reads)).toHaveLength(1);
  });

  test("at most one write is under way", () => {
    const node = new LoneCore();
    node.lead();
    node.step({ kind: "propose", commands: [hello] });
    node.step({ kind: "propose", commands: [hello, hello] });
    const writes = (): readonly number[] =>
      node
        .takeReadies()
        .flatMap(({ persist }) => (persist === null ? [] : [persist.entries.length]));
    expect(writes().at(-1)).toBe(1);
    node.persist();
    expect(writes()).toEqual([2]);
  });

  test("a follower's backlog takes several writes, acknowledged one by one", () => {
    const node = new LoneCore({ config: { persistBytesMax: 1 } });
    node.append({ from: 2, term: 1 }, [0, 0], [1, 1, 1]);
    const acknowledged: number[] = [];
    const written: number[] = [];
    for (let write = 0; write < 3; write += 1) {
      node.persist();
      for (const { persist, messages } of node.takeReadies()) {
        if (persist !== null) written.push(persist.entries.length);
        for (const message of messages)
          if (message.kind === "appendEntriesReply") acknowledged.push(message.matchIndex);
      }
    }
    expect(written).toEqual([1, 1, 1]);
    expect(acknowledged).toEqual([1, 2, 3]);
  });
});

describe("Raft paper, section 7: snapshots", () => {
  test("an image of what was not handed out to be applied is not taken for one", () => {
    const node = new LoneCore();
    node.lead();
    node.acknowledge(2, 1);
    const snapshot = { index: logIndex(2), term: term(1), membership: membershipOf([1, 2, 3]) };
    node.step({ kind: "propose", commands: [hello] });
    // What an image stands for is checked after every step.
    expect(() => node.step({ kind: "compact", snapshot })).not.toThrow();
  });

  test("entries that the disk hands back for a laggard are sent only if they are a piece of this log", () => {
    const node = new LoneCore({ terms: [1, 1, 1], config: { memoryLogBytesMax: 1 } });
    node.lead();
    node.acknowledge(3, 4);
    const refusal = { rejectedIndex: logIndex(3), hintIndex: logIndex(0), hintTerm: term(0) };
    const content = { ok: false, matchIndex: logIndex(0), ...refusal };
    node.receive("appendEntriesReply", { from: 2, term: node.term }, content);
    expect(node.takeReadies().flatMap(({ fetches }) => fetches)).toMatchObject([
      { from: 1, to: 4 },
    ]);
    node.take();
    const fetched = (entries: readonly Entry[]): void => {
      const peer = nodeId(2);
      node.step({ kind: "fetched", peer, from: logIndex(1), prevTerm: term(0), entries });
    };
    const noop = (index: number, of: number): Entry => ({
      kind: "noop",
      term: term(of),
      index: logIndex(index),
    });
    fetched([]);
    fetched([noop(2, 1)]);
    fetched([noop(1, 1), noop(3, 1)]);
    fetched([noop(1, 1), noop(2, 1), noop(3, 1), noop(4, 1)]);
    fetched([noop(1, 1), noop(2, 2), noop(3, 1)]);
    fetched([noop(1, 1), noop(2, 1), noop(3, 1), noop(4, 2), noop(5, 2)]);
    expect(node.take("appendEntries")).toEqual([]);
    fetched([noop(1, 1), noop(2, 1)]);
    expect(node.take("appendEntries")).toMatchObject([{ to: 2, prevIndex: 0, entries: [{}, {}] }]);
  });
});
