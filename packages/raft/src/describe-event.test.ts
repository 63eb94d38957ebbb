import { expect, test } from "vitest";
import { describeTraceEvent, traceEventKinds } from "./describe-event.ts";
import { logIndex, nodeId, term } from "./ids.ts";
import type { TraceEvent } from "./trace-event.ts";

const two = nodeId(2);
const membership = { voters: [nodeId(1), two], outgoingVoters: [], learners: [], members: [] };

test.each<[TraceEvent, string]>([
  [
    {
      kind: "started",
      id: nodeId(1),
      term: term(3),
      votedFor: null,
      imageIndex: logIndex(4),
      imageTerm: term(1),
      lastIndex: logIndex(9),
      lastTerm: term(2),
      membershipIndex: logIndex(4),
      membership,
    },
    "started node 1, term 3, vote none, log up to 2/9 on an image at 1/4, voters 1,2",
  ],
  [
    {
      kind: "roleChanged",
      from: "leader",
      to: "follower",
      term: term(3),
      reason: "noQuorum",
    },
    "roleChanged leader -> follower in term 3: no majority answers",
  ],
  [
    { kind: "leaderChanged", leader: null, term: term(3), reason: "electionTimeout" },
    "leaderChanged leader of term 3: unknown (no leader was heard for an election timeout)",
  ],
  [
    { kind: "entriesAppended", term: term(3), from: logIndex(5), to: logIndex(5) },
    "entriesAppended 5 of term 3",
  ],
  [
    {
      kind: "writeBegun",
      seq: 7,
      term: term(3),
      votedFor: two,
      from: logIndex(5),
      to: logIndex(8),
      snapshotIndex: logIndex(4),
    },
    "writeBegun write 7: term 3, vote 2, behind 4, entries 5..8",
  ],
  [
    {
      kind: "writeBegun",
      seq: 8,
      term: term(3),
      votedFor: two,
      from: logIndex(9),
      to: logIndex(8),
      snapshotIndex: null,
    },
    "writeBegun write 8: term 3, vote 2",
  ],
  [
    { kind: "peerMatched", peer: two, matchIndex: logIndex(8), behind: 0 },
    "peerMatched peer 2 up to 8, which is all",
  ],
  [
    { kind: "appendSent", peer: two, prevIndex: logIndex(8), lastIndex: logIndex(8) },
    "appendSent to 2: nothing after 8",
  ],
  [
    { kind: "readRoundBegun", round: 4, index: logIndex(8), count: 1 },
    "readRoundBegun 1 read at 8 with round 4",
  ],
  [
    { kind: "readAnswered", context: { nonce: 4, counter: 5 }, index: null },
    "readAnswered read 4:5 refused",
  ],
])("%#: an event in one line", (event, expected) => {
  expect(describeTraceEvent(event)).toBe(expected);
});

test("the kinds are listed, each once", () => {
  expect(traceEventKinds).toContain("commitAdvanced");
  expect(new Set(traceEventKinds).size).toBe(traceEventKinds.length);
});
