import { logIndex, term, type RaftConfig } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { membershipOf } from "../support/members.ts";
import { LoneCore } from "./lone-core.ts";

describe("a node that knows to be committed what the leader has differently", () => {
  /** Follows node 2 in term 1; three entries are committed. */
  function withCommitted(config: Partial<RaftConfig> = {}): LoneCore {
    const node = new LoneCore({ terms: [1, 1, 1], config });
    node.append({ from: 2, term: 1 }, [3, 1], [], 3);
    node.persistAll();
    node.take();
    expect(node.commitIndex).toBe(3);
    return node;
  }

  test.each<[string, (node: LoneCore) => void, number]>([
    ["an entry", (node) => node.append({ from: 3, term: 2 }, [1, 1], [2, 2, 2]), 2],
    ["what an append follows", (node) => node.append({ from: 3, term: 2 }, [3, 2], [2]), 3],
    ["what is said to agree", (node) => node.append({ from: 3, term: 2 }, [2, 2], []), 2],
    [
      "the end of a snapshot",
      (node) => {
        const snapshot = {
          index: logIndex(2),
          term: term(2),
          membership: membershipOf([1, 2, 3], []),
        };
        node.receive("installSnapshot", { from: 3, term: 2 }, { snapshot });
      },
      2,
    ],
  ])("notices it by %s, keeps all that it has and takes no part any more", (_by, tell, index) => {
    const node = withCommitted();
    tell(node);
    node.persistAll();
    expect(node.take()).toEqual([]);
    expect(node.core.status().conflict).toMatchObject({ index, term: 1, leader: 3, theirTerm: 2 });
    node.receive(
      "heartbeat",
      { from: 3, term: 2 },
      { commitIndex: logIndex(0), commitTerm: term(0), round: 1 },
    );
    node.append({ from: 3, term: 2 }, [3, 1], [2], 4);
    node.receive("commitNotice", { from: 3, term: 2 }, { commitIndex: logIndex(4) });
    node.persistAll();
    expect(node.take()).toEqual([]);
    expect(node.logTerms).toEqual([1, 1, 1]);
    node.tick(30);
    expect(node.role).toBe("follower");
    node.askVote({ from: 3, term: 9 }, [9, 8]);
    node.persistAll();
    expect(node.take("requestVoteReply")).toMatchObject([{ granted: false }]);
  });

  test("answers no read with what it has", () => {
    const node = withCommitted();
    node.receive(
      "heartbeat",
      { from: 3, term: 2 },
      { commitIndex: logIndex(0), commitTerm: term(0), round: 1 },
    );
    node.step({ kind: "readIndex", context: { nonce: 1, counter: 1 } });
    node.append({ from: 3, term: 2 }, [1, 1], [2]);
    node.step({ kind: "readIndex", context: { nonce: 1, counter: 2 } });
    expect(node.takeReadies().flatMap(({ reads }) => reads)).toMatchObject([
      { context: { counter: 1 }, index: null },
      { context: { counter: 2 }, index: null },
    ]);
  });

  test("acknowledges no more than what was compared, or lies before memory", () => {
    const node = withCommitted();
    node.append({ from: 3, term: 2 }, [1, 1], []);
    node.persistAll();
    expect(node.take("appendEntriesReply")).toMatchObject([{ ok: true, matchIndex: 1 }]);
    const short = withCommitted({ memoryLogBytesMax: 1 });
    expect(short.core.status().firstIndex).toBe(4);
    short.append({ from: 3, term: 2 }, [1, 2], [2]);
    short.persistAll();
    expect(short.take("appendEntriesReply")).toMatchObject([{ ok: true, matchIndex: 3 }]);
    short.append({ from: 3, term: 2 }, [3, 2], [2]);
    expect(short.core.status().conflict).toMatchObject({ index: 3 });
  });

  test("is known to a leader whose log is shorter by what it acknowledged, which counts for nothing", () => {
    const node = new LoneCore();
    node.lead();
    node.acknowledge(3, 9);
    node.acknowledge(3, 8);
    const { peers, commitIndex } = node.core.status();
    expect(peers).toMatchObject([{ claimedIndex: null }, { matchIndex: 0, claimedIndex: 9 }]);
    expect(commitIndex).toBe(0);
  });
});
