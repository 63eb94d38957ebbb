import {
  logIndex,
  nodeId,
  term,
  type Entry,
  type Member,
  type Membership,
  type Message,
  type Promotion,
  type RaftConfig,
  type RaftInput,
  type SnapshotMeta,
} from "@quorate/raft";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ServerError } from "../../packages/server/src/errors.ts";
import {
  decodeTraceLine,
  encodeEntriesLine,
  encodeHead,
  encodeInput,
} from "../../packages/server/src/trace/trace-line.ts";

const anyNumber = fc.oneof(
  fc.nat(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.constantFrom(-0, Number.NaN, Infinity, -Infinity, 2 ** 60, 5e-324),
);
const whole = fc.oneof(fc.nat(9), fc.maxSafeNat());
const id = whole.map((value) => nodeId(value === 0 ? 1 : value));
const terms = whole.map(term);
const index = whole.map(logIndex);
const context = fc.record({ nonce: anyNumber, counter: anyNumber });
const text = fc.string({ unit: "binary", maxLength: 8 });
const data = fc.uint8Array({ maxLength: 40 });

const promotion: fc.Arbitrary<Promotion> = fc.oneof(
  fc.constant({ kind: "none" as const }),
  fc.constant({ kind: "voter" as const }),
  fc.record({ kind: fc.constant("replacement" as const), of: id }),
);
const member: fc.Arbitrary<Member> = fc.record({
  id,
  name: text,
  peerAddress: text,
  clientAddress: text,
  promotion,
});
const ids = fc.array(id, { maxLength: 3 });
const membership: fc.Arbitrary<Membership> = fc.record({
  voters: ids,
  outgoingVoters: ids,
  learners: ids,
  members: fc.array(member, { maxLength: 3 }),
});
const snapshot: fc.Arbitrary<SnapshotMeta> = fc.record({ index, term: terms, membership });

/** One arbitrary for every kind of a union, each without its `kind`: a kind without one does not compile. */
type Kinds<T extends { readonly kind: string }> = {
  readonly [K in T["kind"]]: fc.Arbitrary<Omit<Extract<T, { readonly kind: K }>, "kind">>;
};

/** Each kind as often as any other. */
function anyOf<T extends { readonly kind: string }>(kinds: Kinds<T>): fc.Arbitrary<T> {
  const each = Object.entries<fc.Arbitrary<object>>(kinds).map(([kind, rest]) =>
    rest.map((fields) => ({ kind, ...fields })),
  );
  return fc.oneof(...each) as unknown as fc.Arbitrary<T>;
}

const nothing = fc.constant({});
const slot = { term: terms, index };
const entry = anyOf<Entry>({
  noop: fc.record(slot),
  command: fc.record({ ...slot, data }),
  config: fc.record({ ...slot, membership }),
});
const entries = fc.array(entry, { maxLength: 4 });

const envelope = { from: id, to: id, term: terms };
const flag = fc.boolean();
const message = anyOf<Message>({
  requestVote: fc.record({
    ...envelope,
    preVote: flag,
    transfer: flag,
    lastIndex: index,
    lastTerm: terms,
  }),
  requestVoteReply: fc.record({ ...envelope, preVote: flag, granted: flag }),
  appendEntries: fc.record({
    ...envelope,
    prevIndex: index,
    prevTerm: terms,
    entries,
    commitIndex: index,
  }),
  appendEntriesReply: fc.record({
    ...envelope,
    ok: flag,
    matchIndex: index,
    rejectedIndex: index,
    hintIndex: index,
    hintTerm: terms,
  }),
  heartbeat: fc.record({ ...envelope, commitIndex: index, commitTerm: terms, round: anyNumber }),
  heartbeatReply: fc.record({ ...envelope, round: anyNumber, promiseMs: anyNumber }),
  commitNotice: fc.record({ ...envelope, commitIndex: index }),
  readIndexRequest: fc.record({ ...envelope, context }),
  readIndexReply: fc.record({ ...envelope, context, index: fc.option(index) }),
  installSnapshot: fc.record({ ...envelope, snapshot }),
  timeoutNow: fc.record(envelope),
});

const input = anyOf<RaftInput>({
  tick: nothing,
  clock: fc.record({ nowMs: anyNumber }),
  message: fc.record({ message }),
  propose: fc.record({ commands: fc.array(data, { maxLength: 4 }) }),
  proposeMembership: fc.record({ membership }),
  readIndex: fc.record({ context }),
  campaign: nothing,
  transferLeadership: fc.record({ to: id }),
  persisted: fc.record({ ticket: fc.record({ seq: anyNumber }) }),
  applied: fc.record({ index }),
  fetched: fc.record({ peer: id, from: index, prevTerm: terms, entries: fc.option(entries) }),
  peerUnreachable: fc.record({ peer: id }),
  snapshotSent: fc.record({ to: id, ok: flag }),
  compact: fc.record({ snapshot }),
});

const accepted = { ok: true, index: null } as const;

test("every input survives a trace", () => {
  const seen = new Set<string>();
  const property = fc.property(input, fc.nat(), fc.nat(), (value, number, ms) => {
    seen.add(value.kind === "message" ? value.message.kind : value.kind);
    const line = encodeInput({ number, ms }, value, accepted, []);
    expect(line.indexOf("\n")).toBe(line.length - 1);
    const back = decodeTraceLine(line.trimEnd(), 2);
    expect(back).toEqual({
      kind: "input",
      number,
      ms,
      input: value,
      outcome: undefined,
      events: [],
    });
  });
  fc.assert(property, { numRuns: 4_000 });
  expect(seen.size).toBe(13 + 11);
});

test("what a core starts from survives a trace", () => {
  const limits = fc.record<Omit<RaftConfig, "id">>({
    heartbeatTicks: anyNumber,
    electionTicks: anyNumber,
    appendEntriesMax: anyNumber,
    appendBytesMax: anyNumber,
    inflightEntriesMax: anyNumber,
    inflightBytesMax: anyNumber,
    memoryLogBytesMax: anyNumber,
    uncommittedBytesMax: anyNumber,
    entryBytesMax: anyNumber,
    persistBytesMax: anyNumber,
    applyBytesMax: anyNumber,
    lease: fc.option(fc.record({ promiseMs: anyNumber, durationMs: anyNumber })),
    seed: anyNumber,
  });
  const stand = fc.record({
    hardState: fc.record({ term: terms, votedFor: fc.option(id) }),
    snapshot,
    firstIndex: anyNumber,
  });
  const property = fc.property(limits, id, stand, entries, (rest, own, initial, log) => {
    const config = { ...rest, id: own };
    const origin = { name: "n1", release: "1.0.0", startedMs: 7 };
    const head = encodeHead(origin, config, { ...initial, entries: log }, []);
    expect(decodeTraceLine(head, 1)).toEqual({
      kind: "head",
      origin,
      config,
      stand: initial,
      entryCount: log.length,
      events: [],
    });
    expect(decodeTraceLine(encodeEntriesLine(log), 2)).toEqual({ kind: "entries", entries: log });
  });
  fc.assert(property, { numRuns: 500 });
});

test("a line that was changed is another line or is refused, and nothing worse", () => {
  const change = fc.record({ at: fc.nat(), char: fc.string({ minLength: 1, maxLength: 1 }) });
  const property = fc.property(
    input,
    fc.array(change, { minLength: 1, maxLength: 3 }),
    (value, changes) => {
      let line = encodeInput({ number: 1, ms: 0 }, value, accepted, []).trimEnd();
      for (const { at, char } of changes) {
        const place = at % line.length;
        line = line.slice(0, place) + char + line.slice(place + 1);
      }
      try {
        decodeTraceLine(line, 2);
      } catch (error) {
        expect(error).toBeInstanceOf(ServerError);
        expect(error).toMatchObject({
          code: expect.stringMatching(/TRACE_DAMAGED|FORMAT_UNKNOWN/),
        });
      }
    },
  );
  fc.assert(property, { numRuns: 3_000 });
});
