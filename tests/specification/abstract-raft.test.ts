import { logIndex, nodeId, term } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { membershipOf } from "../support/members.ts";
import { SpecificationError } from "./abstract-raft.ts";
import { OF_THREE, OF_TWO, one, three, Told, two } from "./told.ts";

/** What a test tells after {@link Told.lead}, and the rule that it breaks. */
const BREACHES: readonly (readonly [rule: string, act: (told: Told) => void])[] = [
  ["started first", (told) => told.enter(nodeId(4), 1)],
  ["votes are counted in a campaign", (told) => told.count(two, one, 1)],
  [
    "a candidate won its pre-vote",
    (told) => {
      const change = { kind: "roleChanged", term: term(1) } as const;
      told.tell(two, {
        ...change,
        from: "follower",
        to: "preCandidate",
        reason: "electionTimeout",
      });
      told.tell(two, { ...change, from: "preCandidate", to: "candidate", reason: "preVoteWon" });
    },
  ],
  ["terms rise", (told) => told.enter(two, 1)],
  ["one vote a term", (told) => told.vote(two, three, 1)],
  ["votes are asked for", (told) => [told.enter(three, 1), told.vote(three, two, 1)]],
  ["a vote is of the own term", (told) => told.vote(two, three, 2)],
  [
    "a vote is durable before it leaves",
    (told) => told.tell(three, { kind: "voteSent", term: term(1), to: one }),
  ],
  [
    "a vote is durable before it counts",
    (told) => {
      told.stand(three, 2);
      told.count(three, two, 2);
    },
  ],
  [
    "a vote goes to a log as good",
    (told) => {
      told.stand(three, 2);
      told.enter(two, 2);
      told.vote(two, three, 2);
    },
  ],
  [
    "a quorum elects",
    (told) => {
      told.stand(three, 2);
      told.become(three, "candidate", "leader", 2);
    },
  ],
  [
    "leaders have all that is committed",
    (told) => {
      // Its voters are durable, as if nobody had compared the logs.
      told.stand(three, 2);
      for (const voter of [one, two]) {
        told.enter(voter, 2);
        if (voter === one) told.become(one, "leader", "follower", 2);
      }
      told.forge(three, two, 2);
      told.become(three, "candidate", "leader", 2);
    },
  ],
  [
    "one leader a term",
    (told) => {
      told.become(one, "leader", "follower", 1);
      told.become(one, "follower", "candidate", 1);
      for (const voter of [one, two]) told.count(one, voter, 1);
      told.become(one, "candidate", "leader", 1);
    },
  ],
  ["leaders alone lead", (told) => told.tell(two, { kind: "heartbeatsSent", round: 1 })],
  ["roles change from what they were", (told) => told.become(two, "leader", "follower", 1)],
  [
    "who is followed was elected",
    (told) =>
      told.tell(three, {
        kind: "leaderChanged",
        leader: two,
        term: term(1),
        reason: "leaderHeard",
      }),
  ],
  ["logs have no gaps", (told) => told.append(one, 1, 3)],
  ["terms of a log rise", (told) => told.append(one, 2, 2)],
  ["logs match", (told) => told.append(two, 1, 2)],
  ["leaders make entries", (told) => [told.enter(two, 5), told.append(two, 5, 2)]],
  ["leaders only append", (told) => told.tell(one, { kind: "logTruncated", from: logIndex(1) })],
  ["no commit is lost", (told) => told.tell(two, { kind: "logTruncated", from: logIndex(1) })],
  ["what is promised is written", (told) => told.begin(two, 1, three)],
  ["what becomes durable was written", (told) => told.end(two, 1, one)],
  [
    "what is acknowledged is durable",
    (told) => {
      told.append(one, 1, 2);
      told.append(two, 1, 2);
      told.acknowledge(two, one, 2);
    },
  ],
  ["leaders are answered", (told) => told.acknowledge(two, three, 1)],
  [
    "what a leader counts was acknowledged",
    (told) => {
      told.append(one, 1, 2);
      told.tell(one, { kind: "peerMatched", peer: two, matchIndex: logIndex(2), behind: 0 });
    },
  ],
  [
    "a quorum has what is committed",
    (told) => {
      told.append(one, 1, 2);
      told.write(one, 1, one, [2, 2]);
      told.commit(one, 2);
    },
  ],
  ["commits rise", (told) => told.commit(one, 1)],
  [
    "what is committed is the same everywhere",
    (told) => {
      told.append(one, 1, 2);
      told.append(two, 1, 2);
      told.tell(two, { kind: "logMatched", index: logIndex(2) });
      told.commit(two, 2, false);
    },
  ],
  [
    "followers commit what was compared",
    (told) => {
      told.append(one, 1, 2);
      told.write(one, 1, one, [2, 2]);
      told.append(two, 1, 2);
      told.commit(two, 2, false);
    },
  ],
  ["what matches is there", (told) => told.tell(two, { kind: "logMatched", index: logIndex(2) })],
  [
    "entries are handed out once",
    (told) => told.tell(one, { kind: "entriesHandedOut", from: logIndex(2), to: logIndex(2) }),
  ],
  [
    "what is handed out is committed and durable",
    (told) => {
      told.append(one, 1, 2);
      told.write(one, 1, one, [2, 2]);
      told.tell(one, { kind: "entriesHandedOut", from: logIndex(1), to: logIndex(2) });
    },
  ],
  [
    "what is applied was handed out",
    (told) => told.tell(one, { kind: "applied", index: logIndex(1) }),
  ],
  [
    "an image is committed",
    (told) => told.tell(one, { kind: "imageOffered", index: logIndex(1), term: term(9) }),
  ],
  [
    "a snapshot is committed",
    (told) => told.tell(three, { kind: "logReset", index: logIndex(2), term: term(1) }),
  ],
  [
    "memberships overlap",
    (told) => {
      told.append(one, 1, 2);
      told.tell(one, {
        kind: "membershipInForce",
        index: logIndex(2),
        membership: membershipOf([3]),
      });
    },
  ],
  [
    "one membership at a time",
    (told) => {
      for (const index of [2, 3]) {
        told.append(one, 1, index);
        const membership = index === 2 ? membershipOf([1, 2]) : OF_THREE;
        told.tell(one, { kind: "membershipInForce", index: logIndex(index), membership });
      }
    },
  ],
  [
    "memberships match",
    (told) => {
      for (const [id, membership] of [
        [one, membershipOf([1, 2])],
        [two, OF_THREE],
      ] as const) {
        told.append(id, 1, 2);
        told.tell(id, { kind: "membershipInForce", index: logIndex(2), membership });
      }
    },
  ],
  [
    "the newest membership is in force",
    (told) => {
      told.leaveOut();
      told.start(three, 1, null, [1, 2]);
    },
  ],
  ["nothing durable is lost", (told) => told.start(two, 1, one, [0, 0])],
  ["nothing durable is lost", (told) => told.start(two, 1, null, [1, 1])],
  [
    "nothing durable is lost",
    (told) => {
      const event = { acknowledgedIndex: logIndex(2), lastIndex: logIndex(1) };
      told.tell(two, { kind: "lossFound", ...event });
    },
  ],
  [
    "leaders have what is committed",
    (told) => told.tell(two, { kind: "conflictFound", index: logIndex(1), leader: one }),
  ],
  [
    "leaders have what is committed",
    (told) => {
      const event = { peer: two, matchIndex: logIndex(9), lastIndex: logIndex(1) };
      told.tell(one, { kind: "peerClaimed", ...event });
    },
  ],
  [
    "reads are not stale",
    (told) => {
      const context = { nonce: 2, counter: 1 };
      told.tell(two, { kind: "readForwarded", leader: one, context });
      told.tell(two, { kind: "readAnswered", context, index: logIndex(0) });
    },
  ],
  [
    "reads are asked for",
    (told) =>
      told.tell(two, {
        kind: "readAnswered",
        context: { nonce: 2, counter: 1 },
        index: logIndex(1),
      }),
  ],
];

describe("the specification", () => {
  test("allows an election, a commit, restarts, and a second leader with all of it", () => {
    const told = new Told();
    told.lead();
    told.start(two, 1, one, [1, 1]);
    told.stand(two, 2);
    told.support(two, three, 2);
    told.become(two, "candidate", "leader", 2);
    expect(told.raft).toMatchObject({ commitIndex: 1, termsLed: 2 });
  });

  test("allows a start with what of a write was under way, or without it", () => {
    for (const isWritten of [true, false]) {
      const told = new Told();
      told.lead();
      told.append(one, 1, 2);
      told.begin(one, 1, one, [2, 2]);
      told.start(one, 1, one, [1, isWritten ? 2 : 1]);
      told.enter(three, 3);
      told.begin(three, 3, null);
      told.start(three, isWritten ? 3 : 0, null, [0, 0]);
    }
  });

  test("allows one to stand that a membership of its log leaves out, as long as the one before may come back", () => {
    const told = new Told();
    told.lead();
    told.leaveOut();
    const end = { lastIndex: logIndex(2), lastTerm: term(1) };
    told.startWith(three, { ...end, membershipIndex: logIndex(2), membership: OF_TWO });
    told.tell(three, {
      kind: "roleChanged",
      from: "follower",
      to: "preCandidate",
      term: term(1),
      reason: "electionTimeout",
    });
  });

  test("allows a start on the snapshot that a log was about to stand on", () => {
    const told = new Told();
    told.lead();
    told.enter(three, 1);
    told.tell(three, { kind: "logReset", index: logIndex(1), term: term(1) });
    told.beginWith(three, { snapshotIndex: logIndex(1) });
    const image = { imageIndex: logIndex(1), imageTerm: term(1) };
    told.startWith(three, { ...image, lastIndex: logIndex(1), lastTerm: term(1) });
    told.acknowledge(three, one, 1);
  });

  test.each(BREACHES)("%s", (rule, act) => {
    const told = new Told();
    told.lead();
    try {
      act(told);
    } catch (error) {
      expect(error).toBeInstanceOf(SpecificationError);
      expect(error).toMatchObject({ rule });
      return;
    }
    throw new Error("nothing was noticed");
  });
});
