import { logIndex, term } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { LoneCore } from "./lone-core.ts";

describe("a node that lost what it had acknowledged", () => {
  test("says so, and neither acknowledges nor votes any more", () => {
    const node = new LoneCore({ terms: [1], term: 2 });
    node.receive(
      "heartbeat",
      { from: 2, term: 2 },
      { commitIndex: logIndex(1), commitTerm: term(1), round: 1 },
    );
    expect(node.core.status().hasLostEntries).toBe(false);
    node.take();
    node.receive(
      "heartbeat",
      { from: 2, term: 2 },
      { commitIndex: logIndex(2), commitTerm: term(2), round: 2 },
    );
    node.append({ from: 2, term: 2 }, [1, 1], [2]);
    node.append({ from: 2, term: 2 }, [7, 2], [2]);
    node.persistAll();
    expect(node.take()).toEqual([]);
    expect(node.core.status()).toMatchObject({ hasLostEntries: true, commitIndex: 1 });
    node.tick(30);
    expect(node.role).toBe("follower");
    node.askVote({ from: 3, term: 9 }, [9, 8], { preVote: true });
    expect(node.take("requestVoteReply")).toMatchObject([{ granted: false }]);
    node.askVote({ from: 3, term: 9 }, [9, 8]);
    node.persistAll();
    expect(node.take("requestVoteReply")).toMatchObject([{ granted: false }]);
  });
});

describe("a node whose files are older than what it acknowledged", () => {
  test.each([
    { of: "an earlier term", startTerm: 1 },
    { of: "the same term", startTerm: 2 },
  ])("finds out where its log has another entry there, in files of $of", ({ startTerm }) => {
    const node = new LoneCore({ terms: [1, 1], term: startTerm });
    const committed = { commitIndex: logIndex(2), commitTerm: term(2), round: 1 };
    node.receive("heartbeat", { from: 2, term: 2 }, committed);
    expect(node.core.status()).toMatchObject({ hasLostEntries: true, commitIndex: 0 });
  });

  test("takes for committed what it has, and nothing that the leader cannot name any more", () => {
    const node = new LoneCore({ terms: [1, 1], term: 2 });
    const unnamed = { commitIndex: logIndex(2), commitTerm: term(0), round: 1 };
    node.receive("heartbeat", { from: 2, term: 2 }, unnamed);
    expect(node.core.status()).toMatchObject({ hasLostEntries: false, commitIndex: 0 });
    const named = { commitIndex: logIndex(2), commitTerm: term(1), round: 2 };
    node.receive("heartbeat", { from: 2, term: 2 }, named);
    expect(node.core.status()).toMatchObject({ hasLostEntries: false, commitIndex: 2 });
    const beyond = { commitIndex: logIndex(3), commitTerm: term(0), round: 3 };
    node.receive("heartbeat", { from: 2, term: 2 }, beyond);
    expect(node.core.status()).toMatchObject({ hasLostEntries: true, commitIndex: 2 });
  });
});
