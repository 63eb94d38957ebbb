import type { Command } from "@quorate/kv-store";
import {
  type ClientMessage,
  CREATE_MODES,
  ERROR_CODES,
  EVENT_KINDS,
  fencingToken,
  PROTOCOL_LIMITS,
  PROTOCOL_VERSION,
  type Query,
  type QueryReply,
  type ServerMessage,
  sessionId,
  type Stat,
  WATCH_MODES,
  type WriteOp,
  type WriteOutcome,
  writeSeq,
  zxid,
} from "@quorate/kv-store/protocol";
import * as fc from "fast-check";

/** Integers of every width on the wire. */
const count = fc.oneof(
  fc.nat({ max: 200 }),
  fc.nat({ max: 70_000 }),
  fc.nat({ max: 2 ** 31 - 1 }),
  fc.maxSafeNat(),
);
const positive = count.map((value) => Math.max(value, 1));
const bytes = fc.uint8Array({ maxLength: 40 });
const text = fc.string({ unit: "grapheme", maxLength: 40 });
const path = text.map((tail) => `/${tail}`);
const code = fc.constantFrom(...ERROR_CODES);
const version = fc.option(count, { nil: null });
const anyZxid = count.map(zxid);
const token = count.map(fencingToken);
const session = positive.map(sessionId);
const seq = positive.map(writeSeq);
const zero = fc.constant(0 as const);
const ackedSeq = fc.oneof(zero, seq);
const sessionOrZero = fc.oneof(zero, session);

function kind<T extends string>(name: T) {
  return fc.constant(name);
}

const op: fc.Arbitrary<WriteOp> = fc.oneof(
  fc.record({ kind: kind("create"), path, data: bytes, mode: fc.constantFrom(...CREATE_MODES) }),
  fc.record({ kind: kind("set"), path, data: bytes, version }),
  fc.record({ kind: kind("delete"), path, version }),
  fc.record({ kind: kind("check"), path, version }),
  fc.record({ kind: kind("guard"), path, token }),
  fc.record({ kind: kind("acquire"), path, data: bytes, wait: fc.boolean() }),
  fc.record({ kind: kind("release"), path, token }),
);
const ops = fc.array(op, { maxLength: 4 });

const stat: fc.Arbitrary<Stat> = fc.record({
  czxid: anyZxid,
  mzxid: anyZxid,
  pzxid: anyZxid,
  ctimeMs: count,
  mtimeMs: count,
  version: count,
  cversion: count,
  aversion: count,
  ephemeralOwner: sessionOrZero,
  dataBytes: count,
  childCount: count,
});

const outcome: fc.Arbitrary<WriteOutcome> = fc.oneof(
  fc.record({
    ok: fc.constant(true as const),
    zxid: anyZxid,
    replies: fc.array(
      fc.oneof(
        fc.record({ kind: kind("create"), path, stat }),
        fc.record({ kind: fc.constantFrom("set", "check"), stat }),
        fc.record({ kind: fc.constantFrom("delete", "guard", "release") }),
        fc.record({ kind: kind("acquire"), contender: path, token, held: fc.boolean() }),
      ),
      { maxLength: 4 },
    ),
  }),
  fc.record({
    ok: fc.constant(false as const),
    zxid: anyZxid,
    code,
    opIndex: fc.integer({ min: -1, max: 9 }),
  }),
);

const limit = fc.integer({ min: 1, max: 1000 });

const query: fc.Arbitrary<Query> = fc.oneof(
  fc.record({ kind: fc.constantFrom("get", "exists", "holder"), path }),
  fc.record({ kind: kind("children"), path, after: fc.option(text, { nil: null }), limit }),
  fc.record({ kind: kind("contender"), path, token }),
  fc.record({ kind: kind("sessions"), after: sessionOrZero, limit }),
  fc.record({ kind: kind("sync") }),
);

const queryReply: fc.Arbitrary<QueryReply> = fc.oneof(
  fc.record({ kind: kind("get"), data: bytes, stat }),
  fc.record({ kind: kind("exists"), stat: fc.option(stat, { nil: null }) }),
  fc.record({
    kind: kind("children"),
    names: fc.array(text, { maxLength: 5 }),
    more: fc.boolean(),
    stat,
  }),
  fc.record({
    kind: kind("holder"),
    holder: fc.option(fc.record({ contender: path, token, session, data: bytes }), { nil: null }),
    waiting: count,
  }),
  fc.record({ kind: kind("contender"), state: fc.constantFrom("held", "waiting", "gone") }),
  fc.record({
    kind: kind("sessions"),
    sessions: fc.array(
      fc.record({
        id: session,
        timeoutMs: count,
        ephemeralCount: count,
        address: text,
        clientName: text,
        attachedTo: count,
        attachZxid: anyZxid,
      }),
      { maxLength: 3 },
    ),
    more: fc.boolean(),
  }),
  fc.record({ kind: kind("sync") }),
);

/** Any message of a client. */
export const clientMessage: fc.Arbitrary<ClientMessage> = fc.oneof(
  fc.record({
    kind: kind("hello"),
    protocolVersion: fc.constant(PROTOCOL_VERSION),
    session: fc.option(session, { nil: null }),
    secret: fc.uint8Array({ minLength: PROTOCOL_LIMITS.secretBytes, maxLength: 64 }),
    timeoutMs: count,
    lastZxid: anyZxid,
    historyId: text,
    clientName: text,
  }),
  fc.record({ kind: kind("write"), writeSeq: seq, ackedSeq, ops }),
  fc.record({ kind: kind("skip"), writeSeq: seq, ackedSeq }),
  fc.record({
    kind: kind("read"),
    cxid: count,
    consistency: fc.constantFrom("linearizable", "local"),
    query,
  }),
  fc.record({
    kind: kind("addWatch"),
    cxid: count,
    watchId: count,
    path,
    mode: fc.constantFrom(...WATCH_MODES),
    withData: fc.boolean(),
    sinceZxid: fc.option(anyZxid, { nil: null }),
  }),
  fc.record({ kind: kind("removeWatch"), cxid: count, watchId: count }),
  fc.record({ kind: kind("ping"), pingId: count }),
  fc.record({ kind: kind("closeSession"), cxid: count }),
);

const events = anyZxid.chain((at) =>
  fc.record({
    kind: kind("events"),
    zxid: fc.constant(at),
    events: fc.array(
      fc.record({
        watchIds: fc.array(count, { minLength: 1, maxLength: 3 }),
        event: fc.oneof(
          fc.record({
            zxid: fc.constant(at),
            kind: fc.constantFrom(...EVENT_KINDS),
            path,
          }),
          fc.record({
            zxid: fc.constant(at),
            kind: fc.constantFrom("created", "dataChanged"),
            path,
            data: bytes,
            stat,
          }),
        ),
      }),
      { maxLength: 3 },
    ),
  }),
);

/** Any message of a server. */
export const serverMessage: fc.Arbitrary<ServerMessage> = fc.oneof(
  fc.record({
    kind: kind("welcome"),
    protocolVersion: fc.constant(PROTOCOL_VERSION),
    session,
    timeoutMs: count,
    zxid: anyZxid,
    lastWriteSeq: ackedSeq,
    clusterId: text,
    historyId: text,
    node: text,
    servers: fc.array(text, { maxLength: 3 }),
  }),
  fc.record({ kind: kind("writeReply"), writeSeq: seq, outcome }),
  fc.record({
    kind: kind("readReply"),
    cxid: count,
    zxid: anyZxid,
    reply: fc.oneof(
      fc.record({ ok: fc.constant(true as const), value: queryReply }),
      fc.record({ ok: fc.constant(false as const), code }),
    ),
  }),
  fc.record({ kind: kind("watchAdded"), cxid: count, watchId: count, zxid: anyZxid }),
  fc.record({ kind: kind("watchRemoved"), cxid: count, watchId: count }),
  fc.record({ kind: kind("watchRefused"), cxid: count, watchId: count, code }),
  fc.record({
    kind: kind("watchLost"),
    cxid: count,
    watchId: count,
    oldestZxid: anyZxid,
    zxid: anyZxid,
  }),
  events,
  fc.record({ kind: kind("granted"), zxid: anyZxid, path, contender: path, token }),
  fc.record({ kind: kind("pong"), pingId: count, zxid: anyZxid }),
  fc.record({ kind: kind("refused"), fromSeq: seq, code, retryAfterMs: count }),
  fc.record({ kind: kind("sessionClosed"), cxid: count, zxid: anyZxid }),
  fc.record({ kind: kind("servers"), servers: fc.array(text, { maxLength: 3 }) }),
  fc.record({
    kind: kind("goodbye"),
    code,
    message: text,
    fatal: fc.boolean(),
    protocolVersion: fc.constant(PROTOCOL_VERSION),
  }),
);

const attach = fc.record({ node: count, address: text, principal: text, clientName: text });
const verifier = fc.uint8Array({ maxLength: 32 });

/** Any command. */
export const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    kind: kind("write"),
    session,
    writeSeq: seq,
    ackedSeq,
    epoch: count,
    ops,
  }),
  fc.record({ kind: kind("openSession"), verifier, timeoutMs: count, attach }),
  fc.record({ kind: kind("attach"), session, verifier, timeoutMs: count, attach }),
  fc.record({ kind: kind("closeSession"), session }),
  fc.record({
    kind: kind("expireSessions"),
    term: count,
    basis: anyZxid,
    sessions: fc.array(session, { maxLength: 5 }),
  }),
);
