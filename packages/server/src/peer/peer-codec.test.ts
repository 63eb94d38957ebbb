import {
  logIndex,
  nodeId,
  term,
  type Entry,
  type InstallSnapshot,
  type Member,
  type Membership,
  type Message,
  type Promotion,
  type SnapshotMeta,
} from "@quorate/raft";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attempt } from "../../../../tests/support/peer/peer-lab.ts";
import { encodeEntries } from "../storage/entry-codec.ts";
import { WIRE_NUMBER_MAX } from "./byte-reader.ts";
import type { PeerEnvelope } from "./envelope.ts";
import { decodePeerFrame, encodePeerFrame, envelopeBytes } from "./peer-codec.ts";

const from = nodeId(11);
const to = nodeId(2 ** 40 + 1);

const number = fc.oneof(fc.nat(), fc.integer({ min: 0, max: WIRE_NUMBER_MAX }));
const bytes = fc.uint8Array({ maxLength: 40 });
const command = fc.uint8Array({ minLength: 1, maxLength: 40 });
const base = fc.record({
  from: fc.integer({ min: 1, max: WIRE_NUMBER_MAX }).map(nodeId),
  to: fc.constant(to),
  term: number.map(term),
});
const index = number.map(logIndex);
const aTerm = number.map(term);
const text = fc.string({ unit: "binary", maxLength: 20 });

function membershipOf(ids: readonly number[], learnerCount: number): Membership {
  const sorted = [...ids].sort((a, b) => a - b).map(nodeId);
  const voters = sorted.slice(learnerCount);
  const promotions: readonly Promotion[] = [
    { kind: "none" },
    { kind: "voter" },
    { kind: "replacement", of: nodeId(1) },
  ];
  const members: Member[] = sorted.map((id) => ({
    id,
    name: `n${id}`,
    peerAddress: "10.0.0.1:7101|10.1.0.1:7101",
    clientAddress: "é.example:7001",
    promotion: promotions[id % 3] ?? { kind: "none" },
  }));
  return {
    voters,
    outgoingVoters: voters.slice(1),
    learners: sorted.slice(0, learnerCount),
    members,
  };
}

const membership = fc
  .tuple(
    fc.uniqueArray(fc.integer({ min: 1, max: WIRE_NUMBER_MAX }), { minLength: 2, maxLength: 7 }),
    fc.nat(1),
  )
  .map(([ids, learners]) => membershipOf(ids, learners));
const meta: fc.Arbitrary<SnapshotMeta> = fc.record({ index, term: aTerm, membership });

const entries = fc
  .record({
    prevIndex: fc.nat(1e9),
    prevTerm: fc.nat(1e6),
    kinds: fc.array(fc.tuple(fc.nat(2), fc.nat(3), command, membership), { maxLength: 8 }),
  })
  .map(({ prevIndex, prevTerm, kinds }) => {
    let last = prevTerm;
    const list = kinds.map(([kind, rise, data, config], at): Entry => {
      last += rise;
      const id = { term: term(last), index: logIndex(prevIndex + at + 1) };
      if (kind === 0) return { kind: "noop", ...id };
      return kind === 1
        ? { kind: "command", ...id, data }
        : { kind: "config", ...id, membership: config };
    });
    return { prevIndex: logIndex(prevIndex), prevTerm: term(prevTerm), entries: list, last };
  });

const installSnapshot = fc
  .tuple(base, meta)
  .map(([b, snapshot]): InstallSnapshot => ({ kind: "installSnapshot", ...b, snapshot }));

const message: fc.Arbitrary<Message> = fc.oneof(
  fc
    .tuple(base, fc.boolean(), fc.boolean(), index, aTerm)
    .map(([b, preVote, transfer, lastIndex, lastTerm]): Message => ({
      kind: "requestVote",
      ...b,
      preVote,
      transfer,
      lastIndex,
      lastTerm,
    })),
  fc.tuple(base, fc.boolean(), fc.boolean()).map(([b, preVote, granted]): Message => ({
    kind: "requestVoteReply",
    ...b,
    preVote,
    granted,
  })),
  fc.tuple(base, entries, index).map(([b, { last, ...log }, commitIndex]): Message => ({
    kind: "appendEntries",
    ...b,
    ...log,
    term: term(last + 1),
    commitIndex,
  })),
  fc
    .tuple(base, fc.boolean(), index, index, index, aTerm)
    .map(([b, ok, matchIndex, rejectedIndex, hintIndex, hintTerm]): Message => ({
      kind: "appendEntriesReply",
      ...b,
      ok,
      matchIndex,
      rejectedIndex,
      hintIndex,
      hintTerm,
    })),
  fc.tuple(base, index, aTerm, number).map(([b, commitIndex, commitTerm, round]): Message => ({
    kind: "heartbeat",
    ...b,
    commitIndex,
    commitTerm,
    round,
  })),
  fc
    .tuple(base, index)
    .map(([b, commitIndex]): Message => ({ kind: "commitNotice", ...b, commitIndex })),
  fc
    .tuple(base, number, number)
    .map(([b, round, promiseMs]): Message => ({ kind: "heartbeatReply", ...b, round, promiseMs })),
  fc
    .tuple(base, fc.record({ nonce: number, counter: number }))
    .map(([b, context]): Message => ({ kind: "readIndexRequest", ...b, context })),
  fc
    .tuple(base, fc.record({ nonce: number, counter: number }), fc.option(index))
    .map(([b, context, at]): Message => ({ kind: "readIndexReply", ...b, context, index: at })),
  installSnapshot,
  base.map((b): Message => ({ kind: "timeoutNow", ...b })),
);

const envelope: fc.Arbitrary<PeerEnvelope> = fc.oneof(
  message.map((m): PeerEnvelope => ({ kind: "raft", message: m })),
  fc.record({
    kind: fc.constant("proposals" as const),
    batch: number,
    commands: fc.array(command, { maxLength: 5 }),
  }),
  fc.record({
    kind: fc.constant("proposalsRefused" as const),
    batch: number,
    reason: fc.constantFrom("notLeader", "overloaded", "diskFull", "notReady", "diskExhausted"),
    retryAfterMs: number,
  }),
  fc.record({ kind: fc.constant("touches" as const), batch: number, sessions: fc.array(number) }),
  fc.record({
    kind: fc.constant("touchesNoted" as const),
    batch: number,
    unknown: fc.array(number),
  }),
  fc.record({
    kind: fc.constant("snapshotChunk" as const),
    transfer: number,
    sequence: number,
    header: fc.option(fc.record({ meta, message: installSnapshot })),
    records: fc.array(fc.tuple(text, bytes), { maxLength: 4 }),
    last: fc.boolean(),
    checksum: number,
  }),
  fc.record({
    kind: fc.constant("snapshotAck" as const),
    transfer: number,
    sequence: number,
    ok: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("disk" as const),
    room: fc.constantFrom("enough", "little", "none"),
  }),
  fc.record({ kind: fc.constant("leave" as const), question: number }),
  fc.record({
    kind: fc.constant("leaveAnswer" as const),
    question: number,
    ok: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("digest" as const), index, digest: text }),
  fc
    .tuple(fc.constantFrom("join" as const, "rejoin" as const), membership)
    .map(([kind, { members }]): PeerEnvelope => ({
      kind: "joinRequest",
      request: { kind, member: members[0]! },
    })),
);

const heartbeat: PeerEnvelope = {
  kind: "raft",
  message: {
    kind: "heartbeat",
    from,
    to,
    term: term(3),
    commitIndex: logIndex(7),
    commitTerm: term(2),
    round: 9,
  },
};

function append(changes: Partial<Extract<Message, { kind: "appendEntries" }>>): PeerEnvelope {
  return {
    kind: "raft",
    message: {
      kind: "appendEntries",
      from,
      to,
      term: term(5),
      prevIndex: logIndex(10),
      prevTerm: term(4),
      commitIndex: logIndex(10),
      entries: [],
      ...changes,
    },
  };
}

const noop = (at: number, t: number): Entry => ({
  kind: "noop",
  index: logIndex(at),
  term: term(t),
});

/** Anything but a refusal by name is a crash. */
describe("frames of envelopes", () => {
  test("everything survives the way there, also out of a larger buffer", () => {
    fc.assert(
      fc.property(fc.array(envelope, { maxLength: 6 }), fc.nat(9), (envelopes, offset) => {
        const frame = encodePeerFrame(envelopes, encodeEntries);
        const shared = Buffer.alloc(frame.length + offset + 3);
        shared.set(frame, offset);
        const decoded = decodePeerFrame(shared.subarray(offset, offset + frame.length));
        expect(decoded).toEqual(envelopes);
      }),
      { numRuns: 300 },
    );
  });

  test("the size is never guessed too low but for texts, and not wildly too high", () => {
    fc.assert(
      fc.property(envelope, (one) => {
        const actual = encodePeerFrame([one], encodeEntries).length;
        expect(envelopeBytes(one)).toBeGreaterThanOrEqual(actual - 1);
      }),
      { numRuns: 300 },
    );
    const data = new Uint8Array(1000);
    const many = Array.from({ length: 1000 }, (_, at): Entry => ({
      kind: "command",
      index: logIndex(11 + at),
      term: term(5),
      data,
    }));
    const one = append({ entries: many });
    expect(envelopeBytes(one)).toBeLessThan(encodePeerFrame([one], encodeEntries).length * 1.02);
  });

  test("a block that was encoded before is used as it is, once for each message with entries", () => {
    const list = [noop(11, 5)];
    const asked: (readonly Entry[])[] = [];
    const frame = encodePeerFrame(
      [heartbeat, append({ entries: list }), append({}), append({ entries: list })],
      (wanted) => {
        asked.push(wanted);
        return encodeEntries(wanted);
      },
    );
    expect(asked).toEqual([list, list]);
    expect(decodePeerFrame(frame)).toHaveLength(4);
  });

  test("a heartbeat is small", () => {
    expect(encodePeerFrame([heartbeat], encodeEntries).length).toBe(51);
  });

  test("bytes are plain views, for which slice makes a copy", () => {
    const frame = encodePeerFrame(
      [{ kind: "proposals", batch: 1, commands: [Uint8Array.of(1, 2, 3)] }],
      encodeEntries,
    );
    const [decoded] = decodePeerFrame(Buffer.from(frame));
    const first = decoded!.kind === "proposals" ? decoded.commands[0]! : new Uint8Array(0);
    expect(Object.getPrototypeOf(first)).toBe(Uint8Array.prototype);
    first.slice()[0] = 9;
    expect(first[0]).toBe(1);
  });
});

describe("hostile frames", () => {
  test("random bytes, cut frames and flipped bytes are refused by name or understood", () => {
    const frame = fc
      .array(envelope, { minLength: 1, maxLength: 4 })
      .map((envelopes) => encodePeerFrame(envelopes, encodeEntries));
    fc.assert(
      fc.property(
        frame,
        fc.nat(),
        fc.nat(255),
        fc.uint8Array({ maxLength: 60 }),
        (whole, at, value, noise) => {
          const cut = at % whole.length;
          attempt(decodePeerFrame, whole.subarray(0, cut));
          const flipped = whole.slice();
          flipped[cut] = value;
          attempt(decodePeerFrame, flipped);
          attempt(decodePeerFrame, noise);
          attempt(decodePeerFrame, Uint8Array.of(3, ...noise));
          attempt(decodePeerFrame, Uint8Array.of(3, 1 + (value % 8), ...noise));
        },
      ),
      { numRuns: 500 },
    );
  });

  test("a count that cannot be true is refused before anything is made for it", () => {
    const before = process.memoryUsage().arrayBuffers;
    for (const kind of [2, 4, 5, 6]) {
      const frame = new Uint8Array(64).fill(0);
      frame.set([3, kind]);
      frame.fill(0xff, 10);
      expect(attempt(decodePeerFrame, frame)).toBe(false);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
  });

  test.each<[string, PeerEnvelope]>([
    ["a gap", append({ entries: [noop(12, 5)] })],
    ["an index below", append({ entries: [noop(10, 5)] })],
    ["a term below the one before", append({ entries: [noop(11, 3)] })],
    ["a term above the sender's", append({ entries: [noop(11, 6)] })],
    ["a previous term above the sender's", append({ prevTerm: term(6) })],
    [
      "a membership without voters",
      append({
        entries: [
          {
            kind: "config",
            index: logIndex(11),
            term: term(5),
            membership: { voters: [], outgoingVoters: [], learners: [], members: [] },
          },
        ],
      }),
    ],
  ])("entries with %s would break the core and are refused", (_, one) => {
    expect(attempt(decodePeerFrame, encodePeerFrame([one], encodeEntries))).toBe(false);
  });

  test("a snapshot's membership has to be a possible one", () => {
    const good = membershipOf([1, 2, 3], 0);
    const bad: Membership[] = [
      { ...good, members: good.members.slice(1) },
      { ...good, members: good.members.toReversed() },
      { ...good, learners: [nodeId(1)] },
      { ...good, voters: [nodeId(1), nodeId(1), nodeId(2), nodeId(3)] },
    ];
    for (const broken of [good, ...bad]) {
      const one: PeerEnvelope = {
        kind: "raft",
        message: {
          kind: "installSnapshot",
          from,
          to,
          term: term(1),
          snapshot: { index: logIndex(1), term: term(1), membership: broken },
        },
      };
      expect(attempt(decodePeerFrame, encodePeerFrame([one], encodeEntries))).toBe(broken === good);
    }
  });

  test("a node that asks to join has to be one that can be dialled", () => {
    const [member] = membershipOf([5], 0).members;
    const frame = encodePeerFrame(
      [
        {
          kind: "joinRequest",
          request: { kind: "join", member: { ...member!, peerAddress: "nowhere" } },
        },
      ],
      encodeEntries,
    );
    expect(() => decodePeerFrame(frame)).toThrow(/^PEER_PROTOCOL/);
  });

  test("numbers near the end of the safe integers are refused: counting on would leave them", () => {
    const far = (round: number): Uint8Array =>
      encodePeerFrame(
        [
          {
            kind: "raft",
            message: { kind: "heartbeatReply", from, to, term: term(1), round, promiseMs: 0 },
          },
        ],
        encodeEntries,
      );
    expect(attempt(decodePeerFrame, far(WIRE_NUMBER_MAX))).toBe(true);
    expect(attempt(decodePeerFrame, far(WIRE_NUMBER_MAX + 1))).toBe(false);
    expect(attempt(decodePeerFrame, far(Number.MAX_SAFE_INTEGER))).toBe(false);
  });

  test("a snapshot piece may not smuggle in another message", () => {
    const meta = { index: logIndex(1), term: term(1), membership: membershipOf([1, 2], 0) };
    const one: PeerEnvelope = {
      kind: "snapshotChunk",
      transfer: 1,
      sequence: 0,
      header: {
        meta,
        message: { kind: "installSnapshot", from, to, term: term(1), snapshot: meta },
      },
      records: [],
      last: true,
      checksum: 0,
    };
    const frame = encodePeerFrame([one], encodeEntries);
    expect(attempt(decodePeerFrame, frame)).toBe(true);
    const sender = [0, 0, 0, 0, 0, 0, 0, from];
    const kindAt = frame.findIndex((_, at) =>
      sender.every((byte, of) => frame[at + 1 + of] === byte),
    );
    frame[kindAt] = 10;
    expect(() => decodePeerFrame(frame)).toThrow("a snapshot begins with another message");
  });

  test("text that is not UTF-8 is refused", () => {
    const frame = encodePeerFrame(
      [{ kind: "digest", index: logIndex(1), digest: "abc" }],
      encodeEntries,
    );
    frame[frame.length - 1] = 0xff;
    expect(attempt(decodePeerFrame, frame)).toBe(false);
  });
});
