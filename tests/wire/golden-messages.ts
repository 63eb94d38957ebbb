import type { Command } from "@quorate/kv-store";
import {
  type ClientMessage,
  fencingToken,
  PROTOCOL_VERSION,
  type ServerMessage,
  sessionId,
  type Stat,
  type WriteReply,
  writeSeq,
  zxid,
} from "@quorate/kv-store/protocol";

const STAT: Stat = {
  czxid: zxid(1),
  mzxid: zxid(2),
  pzxid: zxid(3),
  ctimeMs: 1_700_000_000_000,
  mtimeMs: 1_700_000_000_001,
  version: 4,
  cversion: 5,
  aversion: 6,
  ephemeralOwner: sessionId(7),
  dataBytes: 8,
  childCount: 9,
};
const DATA = Uint8Array.of(0xca, 0xfe);
const SECRET = Uint8Array.from({ length: 16 }, (_, i) => i);
const Z = zxid(70_000);

/** One of every message a client can send, every op and every query. */
export const CLIENT_MESSAGES: readonly ClientMessage[] = [
  {
    kind: "hello",
    protocolVersion: PROTOCOL_VERSION,
    session: null,
    secret: SECRET,
    timeoutMs: 10_000,
    lastZxid: 0,
    historyId: "",
    clientName: "golden",
  },
  {
    kind: "hello",
    protocolVersion: PROTOCOL_VERSION,
    session: sessionId(5_000_000_000),
    secret: SECRET,
    timeoutMs: 10_000,
    lastZxid: Z,
    historyId: "h",
    clientName: "golden",
  },
  {
    kind: "write",
    writeSeq: writeSeq(2),
    ackedSeq: 0,
    ops: [
      { kind: "create", path: "/a", data: DATA, mode: "persistent" },
      { kind: "create", path: "/a", data: DATA, mode: "ephemeral" },
      { kind: "create", path: "/a", data: DATA, mode: "persistentSequential" },
      { kind: "create", path: "/a", data: DATA, mode: "ephemeralSequential" },
      { kind: "set", path: "/é", data: DATA, version: null },
      { kind: "delete", path: "/a", version: 3 },
      { kind: "check", path: "/a", version: 3 },
      { kind: "guard", path: "/l", token: fencingToken(9) },
      { kind: "acquire", path: "/l", data: DATA, wait: true },
      { kind: "release", path: "/l", token: fencingToken(9) },
    ],
  },
  { kind: "skip", writeSeq: writeSeq(3), ackedSeq: writeSeq(2) },
  { kind: "read", cxid: 1, consistency: "linearizable", query: { kind: "get", path: "/a" } },
  { kind: "read", cxid: 2, consistency: "local", query: { kind: "exists", path: "/a" } },
  {
    kind: "read",
    cxid: 3,
    consistency: "local",
    query: { kind: "children", path: "/a", after: null, limit: 10 },
  },
  { kind: "read", cxid: 4, consistency: "local", query: { kind: "holder", path: "/l" } },
  {
    kind: "read",
    cxid: 5,
    consistency: "local",
    query: { kind: "contender", path: "/l", token: fencingToken(9) },
  },
  { kind: "read", cxid: 6, consistency: "local", query: { kind: "sessions", after: 0, limit: 9 } },
  { kind: "read", cxid: 7, consistency: "linearizable", query: { kind: "sync" } },
  {
    kind: "addWatch",
    cxid: 8,
    watchId: 1,
    path: "/a",
    mode: "persistent",
    withData: false,
    sinceZxid: null,
  },
  {
    kind: "addWatch",
    cxid: 9,
    watchId: 2,
    path: "/a",
    mode: "recursive",
    withData: true,
    sinceZxid: Z,
  },
  { kind: "removeWatch", cxid: 10, watchId: 1 },
  { kind: "ping", pingId: 11 },
  { kind: "closeSession", cxid: 12 },
];

const REPLIES: readonly WriteReply[] = [
  { kind: "create", path: "/a", stat: STAT },
  { kind: "set", stat: STAT },
  { kind: "delete" },
  { kind: "check", stat: STAT },
  { kind: "guard" },
  { kind: "acquire", contender: "/l/contender-0000000000", token: fencingToken(9), held: true },
  { kind: "release" },
];

/** One of every message a server can send, every reply and every answer. */
export const SERVER_MESSAGES: readonly ServerMessage[] = [
  {
    kind: "welcome",
    protocolVersion: PROTOCOL_VERSION,
    session: sessionId(5),
    timeoutMs: 10_000,
    zxid: Z,
    lastWriteSeq: 0,
    clusterId: "c",
    historyId: "h",
    node: "n1",
    servers: ["a:1", "b:2"],
  },
  {
    kind: "writeReply",
    writeSeq: writeSeq(2),
    outcome: { ok: true, zxid: Z, replies: REPLIES },
  },
  {
    kind: "writeReply",
    writeSeq: writeSeq(3),
    outcome: { ok: false, zxid: Z, code: "BAD_VERSION", opIndex: 1 },
  },
  {
    kind: "readReply",
    cxid: 1,
    zxid: Z,
    reply: { ok: true, value: { kind: "get", data: DATA, stat: STAT } },
  },
  {
    kind: "readReply",
    cxid: 1,
    zxid: Z,
    reply: { ok: true, value: { kind: "exists", stat: null } },
  },
  {
    kind: "readReply",
    cxid: 1,
    zxid: Z,
    reply: { ok: true, value: { kind: "exists", stat: STAT } },
  },
  {
    kind: "readReply",
    cxid: 1,
    zxid: Z,
    reply: { ok: true, value: { kind: "children", names: ["x", "y"], more: true, stat: STAT } },
  },
  {
    kind: "readReply",
    cxid: 1,
    zxid: Z,
    reply: {
      ok: true,
      value: {
        kind: "holder",
        holder: { contender: "/l/c", token: fencingToken(9), session: sessionId(5), data: DATA },
        waiting: 2,
      },
    },
  },
  {
    kind: "readReply",
    cxid: 1,
    zxid: Z,
    reply: { ok: true, value: { kind: "holder", holder: null, waiting: 0 } },
  },
  {
    kind: "readReply",
    cxid: 1,
    zxid: Z,
    reply: { ok: true, value: { kind: "contender", state: "waiting" } },
  },
  {
    kind: "readReply",
    cxid: 1,
    zxid: Z,
    reply: {
      ok: true,
      value: {
        kind: "sessions",
        sessions: [
          {
            id: sessionId(5),
            timeoutMs: 10_000,
            ephemeralCount: 1,
            address: "1.2.3.4:5",
            clientName: "golden",
            attachedTo: 1,
            attachZxid: Z,
          },
        ],
        more: false,
      },
    },
  },
  { kind: "readReply", cxid: 1, zxid: Z, reply: { ok: true, value: { kind: "sync" } } },
  { kind: "readReply", cxid: 1, zxid: Z, reply: { ok: false, code: "NO_NODE" } },
  { kind: "watchAdded", cxid: 1, watchId: 2, zxid: Z },
  { kind: "watchRemoved", cxid: 1, watchId: 2 },
  { kind: "watchRefused", cxid: 1, watchId: 2, code: "BAD_PATH" },
  { kind: "watchLost", cxid: 1, watchId: 2, oldestZxid: zxid(3), zxid: Z },
  {
    kind: "events",
    zxid: Z,
    events: [
      { watchIds: [1, 300], event: { zxid: Z, kind: "created", path: "/a" } },
      {
        watchIds: [1],
        event: { zxid: Z, kind: "dataChanged", path: "/a", data: DATA, stat: STAT },
      },
      { watchIds: [1], event: { zxid: Z, kind: "deleted", path: "/a" } },
      { watchIds: [1], event: { zxid: Z, kind: "childrenChanged", path: "/" } },
    ],
  },
  { kind: "granted", zxid: Z, path: "/l", contender: "/l/c", token: fencingToken(9) },
  { kind: "pong", pingId: 1, zxid: Z },
  { kind: "refused", fromSeq: writeSeq(4), code: "OVERLOADED", retryAfterMs: 100 },
  { kind: "sessionClosed", cxid: 1, zxid: Z },
  { kind: "servers", servers: ["a:1", "b:1"] },
  {
    kind: "goodbye",
    code: "UNSUPPORTED_VERSION",
    message: "no",
    fatal: true,
    protocolVersion: PROTOCOL_VERSION,
  },
];

const ATTACH = { node: 1, address: "1.2.3.4:5", principal: "p", clientName: "golden" };

/** One of every command. */
export const COMMANDS: readonly Command[] = [
  {
    kind: "write",
    session: sessionId(5),
    writeSeq: writeSeq(2),
    ackedSeq: writeSeq(1),
    epoch: 0,
    ops: [{ kind: "set", path: "/a", data: DATA, version: null }],
  },
  { kind: "openSession", verifier: SECRET, timeoutMs: 10_000, attach: ATTACH },
  {
    kind: "attach",
    session: sessionId(5),
    verifier: SECRET,
    timeoutMs: 10_000,
    attach: ATTACH,
  },
  { kind: "closeSession", session: sessionId(5) },
  {
    kind: "expireSessions",
    term: 3,
    basis: Z,
    sessions: [sessionId(5), sessionId(5_000_000_000)],
  },
];
