import { InvariantError, type Message, type RaftInput } from "@quorate/raft";
import fc from "fast-check";
import { expect, test } from "vitest";
import { LoneCore } from "../interaction/lone-core.ts";
import { membershipOf } from "../support/members.ts";

const number = fc.oneof(
  { weight: 8, arbitrary: fc.nat(9) },
  { weight: 1, arbitrary: fc.constantFrom(-1, 1.5, Number.NaN, 2 ** 53, 2 ** 60, Infinity) },
);

const context = fc.record({ nonce: number, counter: number });

const entry = fc.oneof(
  fc.record({ kind: fc.constant("noop"), term: number, index: number }),
  fc.record({ kind: fc.constant("command"), term: number, index: number, data: fc.uint8Array() }),
  fc.record({
    kind: fc.constant("config"),
    term: number,
    index: number,
    membership: fc.constantFrom(membershipOf([1, 2]), membershipOf([]), membershipOf([2, 2])),
  }),
);

const content = fc.oneof(
  fc.record({
    kind: fc.constant("requestVote"),
    preVote: fc.boolean(),
    transfer: fc.boolean(),
    lastIndex: number,
    lastTerm: number,
  }),
  fc.record({
    kind: fc.constant("requestVoteReply"),
    preVote: fc.boolean(),
    granted: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("appendEntries"),
    prevIndex: number,
    prevTerm: number,
    entries: fc.array(entry, { maxLength: 3 }),
    commitIndex: number,
  }),
  fc.record({
    kind: fc.constant("appendEntriesReply"),
    ok: fc.boolean(),
    matchIndex: number,
    rejectedIndex: number,
    hintIndex: number,
    hintTerm: number,
  }),
  fc.record({
    kind: fc.constant("heartbeat"),
    commitIndex: number,
    commitTerm: number,
    round: number,
  }),
  fc.record({ kind: fc.constant("commitNotice"), commitIndex: number }),
  fc.record({ kind: fc.constant("heartbeatReply"), round: number, promiseMs: number }),
  fc.record({ kind: fc.constant("readIndexRequest"), context }),
  fc.record({ kind: fc.constant("readIndexReply"), context, index: fc.option(number) }),
  fc.record({
    kind: fc.constant("installSnapshot"),
    snapshot: fc.record({
      index: number,
      term: number,
      membership: fc.constantFrom(membershipOf([1, 2, 3]), membershipOf([])),
    }),
  }),
  fc.record({ kind: fc.constant("timeoutNow") }),
);

const message = fc
  .tuple(fc.record({ from: number, to: fc.constantFrom(1, 1, 1, 2), term: number }), content)
  .map(([envelope, rest]) => ({ ...envelope, ...rest }) as unknown as Message);

const input = fc.oneof(
  { weight: 6, arbitrary: message.map((item) => ({ kind: "message", message: item })) },
  { weight: 2, arbitrary: fc.constant({ kind: "tick" }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("clock"), nowMs: fc.double() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("readIndex"), context }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("peerUnreachable"), peer: number }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("transferLeadership"), to: number }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("applied"), index: number }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("snapshotSent"), to: number, ok: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: number.map((seq) => ({ kind: "persisted", ticket: { seq } })),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("fetched"),
      peer: number,
      from: number,
      prevTerm: number,
      entries: fc.option(fc.array(entry, { maxLength: 3 })),
    }),
  },
);

/**
 * What only a lie of the leader itself can break: it contradicts what it sent before, or overwrites what is committed. There
 * is nothing left to trust then, and to stop is right.
 */
const leaderLied = new Set([
  "matched_never_truncated",
  "committed_never_truncated",
  "log_append_terms_rise",
  "initial_term_covers_log",
]);

test("no input from outside stops a core or breaks what must hold of it", () => {
  const property = fc.property(
    fc.array(input, { maxLength: 60 }),
    fc.boolean(),
    (inputs, leads) => {
      const node = new LoneCore({ terms: [1, 1] });
      if (leads) node.lead();
      for (const step of inputs) {
        try {
          node.step(step as unknown as RaftInput);
          if (node.isWriting && inputs.length % 2 === 0) node.persist();
        } catch (error) {
          if (error instanceof InvariantError && leaderLied.has(error.invariant)) return;
          throw error;
        }
      }
      expect(node.term).toBeGreaterThanOrEqual(1);
    },
  );
  fc.assert(property, { numRuns: 3_000 });
});
