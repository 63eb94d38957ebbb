import { logIndex, nodeId, term, type NodeId, type TraceEvent } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { membershipOf } from "../support/members.ts";
import { AbstractRaft, SpecificationError } from "./abstract-raft.ts";

const [one, two, three] = [nodeId(1), nodeId(2), nodeId(3)];

const OF_THREE = membershipOf([1, 2, 3]);
const OF_TWO = membershipOf([1, 2]);

/** No entries, as a range of them. */
const nothing: readonly [from: number, to: number] = [1, 0];

/** An ensemble of three cores that a test tells event by event. */
class Told {
  readonly raft = new AbstractRaft();
  #seq = 0;

  constructor() {
    for (const id of [one, two, three]) this.start(id, 0, null, [0, 0]);
  }

  start(
    id: NodeId,
    atTerm: number,
    votedFor: NodeId | null,
    [lastTerm, last]: readonly [term: number, index: number],
  ): void {
    const end = { lastIndex: logIndex(last), lastTerm: term(lastTerm) };
    this.startWith(id, { term: term(atTerm), votedFor, ...end });
  }

  startWith(id: NodeId, event: Partial<TraceEvent<"started">>): void {
    this.tell(id, {
      kind: "started",
      id,
      term: term(1),
      votedFor: null,
      imageIndex: logIndex(0),
      imageTerm: term(0),
      lastIndex: logIndex(0),
      lastTerm: term(0),
      membershipIndex: logIndex(0),
      membership: OF_THREE,
      ...event,
    });
  }

  tell(id: NodeId, event: TraceEvent): void {
    this.raft.take(id, event);
  }

  enter(id: NodeId, atTerm: number): void {
    this.tell(id, { kind: "termEntered", term: term(atTerm) });
  }

  vote(id: NodeId, to: NodeId, atTerm: number): void {
    this.tell(id, { kind: "voteGiven", term: term(atTerm), to });
  }

  begin(id: NodeId, atTerm: number, votedFor: NodeId | null, [from, to] = nothing): void {
    const range = { from: logIndex(from), to: logIndex(to) };
    this.beginWith(id, { term: term(atTerm), votedFor, ...range });
  }

  beginWith(id: NodeId, event: Partial<TraceEvent<"writeBegun">>): void {
    this.#seq += 1;
    this.tell(id, {
      kind: "writeBegun",
      seq: this.#seq,
      term: term(1),
      votedFor: null,
      from: logIndex(1),
      to: logIndex(0),
      snapshotIndex: null,
      ...event,
    });
  }

  end(id: NodeId, atTerm: number, votedFor: NodeId | null, persisted = 0): void {
    const persistedIndex = logIndex(persisted);
    this.tell(id, {
      kind: "writeDurable",
      seq: this.#seq,
      term: term(atTerm),
      votedFor,
      persistedIndex,
    });
  }

  write(id: NodeId, atTerm: number, votedFor: NodeId | null, range = nothing): void {
    this.begin(id, atTerm, votedFor, range);
    this.end(id, atTerm, votedFor, range[1]);
  }

  become(
    id: NodeId,
    from: "follower" | "candidate" | "leader",
    to: "follower" | "candidate" | "leader",
    atTerm: number,
  ): void {
    const reason = to === "candidate" ? "transferOrdered" : "electionWon";
    this.tell(id, { kind: "roleChanged", from, to, term: term(atTerm), reason });
  }

  count(id: NodeId, from: NodeId, atTerm: number): void {
    this.tell(id, { kind: "voteCounted", term: term(atTerm), from, preVote: false, granted: true });
  }

  /** `id` stands in a term, with its own vote durable. */
  stand(id: NodeId, atTerm: number): void {
    this.enter(id, atTerm);
    this.become(id, "follower", "candidate", atTerm);
    this.vote(id, id, atTerm);
    this.write(id, atTerm, id);
    this.count(id, id, atTerm);
    this.tell(id, { kind: "votesRequested", term: term(atTerm), preVote: false });
  }

  /** `voter` gives it its vote, durably. */
  support(id: NodeId, voter: NodeId, atTerm: number): void {
    this.enter(voter, atTerm);
    this.vote(voter, id, atTerm);
    this.write(voter, atTerm, id);
    this.tell(voter, { kind: "voteSent", term: term(atTerm), to: id });
    this.count(id, voter, atTerm);
  }

  /** A vote as `support` gives it, for a log that deserves none: it asks with an entry that is not durable, and forgets it. */
  forge(id: NodeId, voter: NodeId, atTerm: number): void {
    this.append(id, 1, 1);
    this.tell(id, { kind: "votesRequested", term: term(atTerm), preVote: false });
    this.vote(voter, id, atTerm);
    this.write(voter, atTerm, id);
    this.start(id, atTerm, id, [0, 0]);
    this.become(id, "follower", "candidate", atTerm);
    this.count(id, id, atTerm);
    this.count(id, voter, atTerm);
  }

  append(id: NodeId, atTerm: number, from: number, to = from): void {
    this.tell(id, {
      kind: "entriesAppended",
      term: term(atTerm),
      from: logIndex(from),
      to: logIndex(to),
    });
  }

  commit(id: NodeId, index: number, isCounted = true): void {
    this.tell(id, { kind: "commitAdvanced", index: logIndex(index), isCounted });
  }

  acknowledge(id: NodeId, to: NodeId, index: number): void {
    this.tell(id, { kind: "acknowledged", to, matchIndex: logIndex(index) });
    this.tell(to, { kind: "peerMatched", peer: id, matchIndex: logIndex(index), behind: 0 });
  }

  /** A membership of nodes 1 and 2 stands at entry 2, durable at node 3, which it leaves out. */
  leaveOut(): void {
    this.enter(three, 1);
    for (const id of [one, three]) {
      this.append(id, 1, id === one ? 2 : 1, 2);
      this.tell(id, { kind: "membershipInForce", index: logIndex(2), membership: OF_TWO });
    }
    this.write(three, 1, null, [1, 2]);
  }

  /** Node 1 leads term 1, supported by node 2, and its first entry is committed on both. */
  lead(): void {
    this.stand(one, 1);
    this.support(one, two, 1);
    this.become(one, "candidate", "leader", 1);
    this.append(one, 1, 1);
    this.append(two, 1, 1);
    this.write(one, 1, one, [1, 1]);
    this.write(two, 1, one, [1, 1]);
    this.acknowledge(two, one, 1);
    this.commit(one, 1);
    this.commit(two, 1, false);
  }
}

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
