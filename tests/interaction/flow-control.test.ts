import { logIndex, nodeId, term, type Message } from "@quorate/raft";
import { beforeEach, describe, expect, test } from "vitest";
import { logOf, LoneCore } from "./lone-core.ts";

const command = new Uint8Array(100);
const READS = 100;

let node: LoneCore;

/** Peer 3 answers the newest heartbeat, and nothing else. */
function answerHeartbeat(sent: readonly Message[]): void {
  const rounds = sent.flatMap((message) => (message.kind === "heartbeat" ? [message.round] : []));
  const round = Math.max(...rounds);
  node.receive("heartbeatReply", { from: 3, term: node.term }, { round, promiseMs: 0 });
}

/** A linearizable read, and the round of heartbeats that it starts; what left by the end of it. */
function read(counter: number): readonly Message[] {
  node.step({ kind: "readIndex", context: { nonce: 1, counter } });
  const sent = node.take();
  answerHeartbeat(sent);
  return [...sent, ...node.take()];
}

function entriesFor(peer: number, messages: readonly Message[]): number {
  return messages.reduce((sum, message) => {
    return message.kind === "appendEntries" && message.to === nodeId(peer)
      ? sum + message.entries.length
      : sum;
  }, 0);
}

function propose(count: number): void {
  for (let at = 0; at < count; at += 1) {
    node.step({ kind: "propose", commands: [command] });
    node.persistAll();
    node.acknowledge(2, 2 + at);
  }
  node.take();
}

describe("a peer that answers heartbeats and acknowledges nothing", () => {
  beforeEach(() => {
    node = new LoneCore();
    node.lead();
    node.acknowledge(2, 1);
    node.acknowledge(3, 1);
    node.step({ kind: "peerUnreachable", peer: nodeId(3) });
    propose(10);
  });

  test("gets no entry twice, however many reads start a round of heartbeats", () => {
    let entries = 0;
    for (let at = 0; at < READS; at += 1) entries += entriesFor(3, read(at));
    expect(entries).toBe(0);
    for (let at = 0; at < READS; at += 1) {
      node.tick();
      node.receive("heartbeatReply", { from: 2, term: node.term }, { round: 1, promiseMs: 0 });
      entries += entriesFor(3, read(READS + at));
    }
    expect(node.role).toBe("leader");
    expect(entries).toBe(0);
  });

  test("is asked once a heartbeat whether its log agrees, and goes on from there", () => {
    node.tick();
    const asked = read(1).filter(({ kind, to }) => kind === "appendEntries" && to === nodeId(3));
    expect(asked).toMatchObject([{ prevIndex: 1, entries: [] }]);
    node.acknowledge(3, 1);
    expect(entriesFor(3, node.take())).toBe(10);
  });
});

describe("a peer whose snapshot fails at once", () => {
  test("is sent another after an election timeout, however many reads start a round", () => {
    node = new LoneCore({ config: { memoryLogBytesMax: 1 } });
    node.lead();
    node.acknowledge(2, 1);
    propose(4);
    node.acknowledge(3, 1);
    node.step({ kind: "peerUnreachable", peer: nodeId(3) });
    const membership = node.core.status().membership;
    const snapshot = { index: logIndex(5), term: term(node.term), membership };
    node.step({ kind: "compact", snapshot });
    node.step({ kind: "peerUnreachable", peer: nodeId(3) });
    const fetched = { peer: nodeId(3), from: logIndex(2), prevTerm: term(0), entries: null };
    let ordered = 0;
    for (let at = 0; at < READS; at += 1) {
      ordered += read(at).filter(({ kind }) => kind === "installSnapshot").length;
      node.step({ kind: "fetched", ...fetched });
      node.step({ kind: "snapshotSent", to: nodeId(3), ok: false });
    }
    expect(ordered).toBe(1);
  });
});

describe("entries that are read from disk for a peer", () => {
  test("are not waited for once it acknowledged more by itself", () => {
    node = new LoneCore({ config: { memoryLogBytesMax: 1 } });
    node.lead();
    node.acknowledge(2, 1);
    node.acknowledge(3, 1);
    node.takeReadies();
    propose(4);
    node.step({ kind: "peerUnreachable", peer: nodeId(3) });
    node.acknowledge(3, 1);
    const fetchesOf = (): readonly unknown[] =>
      node.takeReadies().flatMap(({ fetches }) => fetches);
    expect(fetchesOf()).toMatchObject([{ from: 2 }]);
    node.acknowledge(3, 3);
    expect(fetchesOf()).toMatchObject([{ from: 4 }]);
    const entries = logOf(1, 1, 1).slice(1);
    const late = { peer: nodeId(3), from: logIndex(2), prevTerm: term(1), entries };
    node.step({ kind: "fetched", ...late });
    expect(node.core.status().peers).toMatchObject([{}, { id: 3, isFetching: true }]);
  });
});

describe("a peer that needs what the disk cannot give, in an ensemble without writes", () => {
  test.each([
    { of: "three, of whom one is gone", members: { voters: [1, 2, 3] } },
    { of: "one voter", members: { voters: [1], learners: [3] } },
  ])("gets a snapshot as soon as there is one: $of", ({ members }) => {
    const isAlone = members.voters.length === 1;
    node = new LoneCore({ ...members, config: { memoryLogBytesMax: 1 } });
    if (isAlone) node.awaitCampaign();
    else node.lead();
    node.persistAll();
    node.acknowledge(3, 1);
    for (let at = 0; at < 9; at += 1) {
      node.step({ kind: "propose", commands: [command] });
      node.persistAll();
      if (!isAlone) node.acknowledge(2, 2 + at);
    }
    expect(node.commitIndex).toBe(10);
    node.step({ kind: "peerUnreachable", peer: nodeId(3) });
    const membership = node.core.status().membership;
    const image = (index: number) =>
      node.step({
        kind: "compact",
        snapshot: { index: logIndex(index), term: term(node.term), membership },
      });
    image(1);
    const beat = (): readonly Message[] => {
      node.tick();
      answerHeartbeat(node.take());
      return node.take("installSnapshot");
    };
    expect(beat()).toEqual([]);
    const gone = { peer: nodeId(3), from: logIndex(2), prevTerm: term(0), entries: null };
    node.step({ kind: "fetched", ...gone });
    for (let at = 0; at < READS; at += 1) expect(beat()).toEqual([]);
    image(10);
    expect(beat()).toMatchObject([{ to: 3, snapshot: { index: 10 } }]);
  });
});

describe("a node that applies more slowly than entries are committed", () => {
  const count = 1_000;

  test("takes no more of them in as a follower than may be uncommitted, and goes on once they are applied", () => {
    node = new LoneCore();
    node.holdApply();
    const terms = Array.from({ length: count }, () => 1);
    node.append({ from: 2, term: 1 }, [0, 0], terms, count);
    node.persistAll();
    expect(node.core.status()).toMatchObject({ lastIndex: count, appliedIndex: 0 });
    node.take();
    node.append({ from: 2, term: 1 }, [count, 1], [1], count + 1);
    node.persistAll();
    expect(node.core.status()).toMatchObject({ lastIndex: count, commitIndex: count });
    expect(node.take()).toEqual([]);
    node.tick(4);
    node.append({ from: 2, term: 1 }, [count, 1], [1], count + 1);
    node.tick(4);
    expect(node.core.status()).toMatchObject({ leader: 2, role: "follower" });
    node.applyAll();
    node.append({ from: 2, term: 1 }, [count, 1], [1], count + 1);
    node.persistAll();
    expect(node.core.status()).toMatchObject({ lastIndex: count + 1, appliedIndex: count + 1 });
  });

  test("refuses proposals as a leader", () => {
    node = new LoneCore();
    node.lead();
    node.acknowledge(2, 1);
    node.holdApply();
    for (let at = 0; at < count; at += 1) {
      if (!node.step({ kind: "propose", commands: [command] }).ok) break;
      node.persistAll();
      node.acknowledge(2, 2 + at);
    }
    const { lastIndex, commitIndex, appliedIndex } = node.core.status();
    expect(commitIndex).toBe(lastIndex);
    expect(appliedIndex).toBe(1);
    expect(lastIndex).toBeLessThan(count);
    const refused = node.step({ kind: "propose", commands: [command] });
    expect(refused).toMatchObject({ ok: false, reason: "uncommittedLimit" });
    node.applyAll();
    expect(node.step({ kind: "propose", commands: [command] }).ok).toBe(true);
  });
});
