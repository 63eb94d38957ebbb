import {
  type Packed,
  packOutcome,
  packStat,
  readOutcome,
  readStat,
  readTag,
  readText,
  unknownTag,
} from "./codec-op.ts";
import { packQueryResult, readQueryResult } from "./codec-query.ts";
import {
  malformed,
  readBoolean,
  readChoice,
  readData,
  readErrorCode,
  readInteger,
  readList,
  readPath,
  readSessionId,
  readString,
  readToken,
  readTuple,
  unencodable,
  readWriteSeq,
  readZxid,
  wellFormed,
} from "./codec-value.ts";
import { readAckedSeq } from "./codec-client.ts";
import { EVENT_KINDS, type WatchEvent } from "./event.ts";
import type { ServerMessage } from "./frame.ts";
import { PROTOCOL_LIMITS } from "./limits.ts";
import { PROTOCOL_VERSION } from "./version.ts";

const WELCOME = 1;
const WRITE_REPLY = 2;
const READ_REPLY = 3;
const WATCH_ADDED = 4;
const WATCH_REMOVED = 5;
const WATCH_REFUSED = 6;
const WATCH_LOST = 7;
const EVENTS = 8;
const GRANTED = 9;
const PONG = 10;
const REFUSED = 11;
const SESSION_CLOSED = 12;
const GOODBYE = 13;

const SERVERS_MAX = 64;
/** Events of one revision: ops of a write, or ephemerals of the sessions that ended in one entry. */
const EVENTS_MAX = PROTOCOL_LIMITS.frameBytesMax;
const GOODBYE_UNITS_MAX = 4096;
/** Items of the longest tuple that another version may have. */
const TUPLE_ITEMS_MAX = 64;

type Message<K extends ServerMessage["kind"]> = Extract<ServerMessage, { readonly kind: K }>;

export function packServerMessage(message: ServerMessage): Packed {
  switch (message.kind) {
    case "welcome":
      return packWelcome(message);
    case "writeReply":
      return [WRITE_REPLY, message.writeSeq, packOutcome(message.outcome)];
    case "readReply":
      return [READ_REPLY, message.cxid, message.zxid, packQueryResult(message.reply)];
    case "watchAdded":
      return [WATCH_ADDED, message.cxid, message.watchId, message.zxid];
    case "watchRemoved":
      return [WATCH_REMOVED, message.cxid, message.watchId];
    case "watchRefused":
      return [WATCH_REFUSED, message.cxid, message.watchId, message.code];
    case "watchLost":
      return [WATCH_LOST, message.cxid, message.watchId, message.oldestZxid, message.zxid];
    case "events":
      return [EVENTS, message.zxid, message.events.map(packEventItem)];
    case "granted":
      return [GRANTED, message.zxid, message.path, message.contender, message.token];
    case "pong":
      return [PONG, message.pingId, message.zxid];
    case "refused":
      return [REFUSED, message.fromSeq, message.code, message.retryAfterMs];
    case "sessionClosed":
      return [SESSION_CLOSED, message.cxid, message.zxid];
    case "goodbye":
      return packGoodbye(message);
    default:
      return unencodable(message);
  }
}

type Reader = (value: unknown) => ServerMessage;

/** Indexed by tag. */
const READERS: readonly (Reader | undefined)[] = [
  undefined,
  readWelcome,
  readWriteReply,
  readReadReply,
  readWatchAdded,
  readWatchRemoved,
  readWatchRefused,
  readWatchLost,
  readEvents,
  readGranted,
  readPong,
  readRefused,
  readSessionClosed,
  readGoodbye,
];

export function readServerMessage(value: unknown): ServerMessage {
  const tag = readTag(value);
  const reader = READERS[tag];
  return reader === undefined ? unknownTag("server message", tag) : reader(value);
}

function packWelcome(message: Message<"welcome">): Packed {
  return [
    WELCOME,
    message.protocolVersion,
    message.session,
    message.timeoutMs,
    message.zxid,
    message.lastWriteSeq,
    wellFormed(message.clusterId),
    wellFormed(message.historyId),
    wellFormed(message.node),
    message.servers.map(wellFormed),
  ];
}

function readWelcome(value: unknown): ServerMessage {
  const fields = readTuple(value, 10);
  return {
    kind: "welcome",
    protocolVersion: readInteger(fields[1]),
    session: readSessionId(fields[2]),
    timeoutMs: readInteger(fields[3]),
    zxid: readZxid(fields[4]),
    lastWriteSeq: readAckedSeq(fields[5]),
    clusterId: readText(fields[6]),
    historyId: readText(fields[7]),
    node: readText(fields[8]),
    servers: readList(fields[9], SERVERS_MAX).map(readText),
  };
}

function readWriteReply(value: unknown): ServerMessage {
  const [, writeSeq, outcome] = readTuple(value, 3);
  return { kind: "writeReply", writeSeq: readWriteSeq(writeSeq), outcome: readOutcome(outcome) };
}

function readReadReply(value: unknown): ServerMessage {
  const [, cxid, zxid, reply] = readTuple(value, 4);
  return {
    kind: "readReply",
    cxid: readInteger(cxid),
    zxid: readZxid(zxid),
    reply: readQueryResult(reply),
  };
}

function readWatchAdded(value: unknown): ServerMessage {
  const [, cxid, watchId, zxid] = readTuple(value, 4);
  return {
    kind: "watchAdded",
    cxid: readInteger(cxid),
    watchId: readInteger(watchId),
    zxid: readZxid(zxid),
  };
}

function readWatchRemoved(value: unknown): ServerMessage {
  const [, cxid, watchId] = readTuple(value, 3);
  return { kind: "watchRemoved", cxid: readInteger(cxid), watchId: readInteger(watchId) };
}

function readWatchRefused(value: unknown): ServerMessage {
  const [, cxid, watchId, code] = readTuple(value, 4);
  return {
    kind: "watchRefused",
    cxid: readInteger(cxid),
    watchId: readInteger(watchId),
    code: readErrorCode(code),
  };
}

function readWatchLost(value: unknown): ServerMessage {
  const [, cxid, watchId, oldestZxid, zxid] = readTuple(value, 5);
  return {
    kind: "watchLost",
    cxid: readInteger(cxid),
    watchId: readInteger(watchId),
    oldestZxid: readZxid(oldestZxid),
    zxid: readZxid(zxid),
  };
}

type EventItem = Message<"events">["events"][number];

/** The revision stands in the message, not in each event. */
function packEventItem(item: EventItem): Packed {
  const { kind, path, data, stat } = item.event;
  const tag = EVENT_KINDS.indexOf(kind);
  if (data === undefined || stat === undefined) return [item.watchIds, tag, path];
  return [item.watchIds, tag, path, data, packStat(stat)];
}

function readEvents(value: unknown): ServerMessage {
  const [, zxidField, items] = readTuple(value, 3);
  const zxid = readZxid(zxidField);
  const events = readList(items, EVENTS_MAX).map((item): EventItem => {
    const isBare = Array.isArray(item) && item.length === 3;
    const [watchIds, kind, path, data, stat] = readTuple(item, isBare ? 3 : 5);
    const ids = readList(watchIds, PROTOCOL_LIMITS.watchesMax).map((id) => readInteger(id));
    if (ids.length === 0) malformed("an event for no watch");
    const event: WatchEvent = { zxid, kind: readChoice(kind, EVENT_KINDS), path: readPath(path) };
    if (isBare) return { watchIds: ids, event };
    return { watchIds: ids, event: { ...event, data: readData(data), stat: readStat(stat) } };
  });
  return { kind: "events", zxid, events };
}

function readGranted(value: unknown): ServerMessage {
  const [, zxid, path, contender, token] = readTuple(value, 5);
  return {
    kind: "granted",
    zxid: readZxid(zxid),
    path: readPath(path),
    contender: readPath(contender),
    token: readToken(token),
  };
}

function readPong(value: unknown): ServerMessage {
  const [, pingId, zxid] = readTuple(value, 3);
  return { kind: "pong", pingId: readInteger(pingId), zxid: readZxid(zxid) };
}

function readRefused(value: unknown): ServerMessage {
  const [, fromSeq, code, retryAfterMs] = readTuple(value, 4);
  return {
    kind: "refused",
    fromSeq: readWriteSeq(fromSeq),
    code: readErrorCode(code),
    retryAfterMs: readInteger(retryAfterMs),
  };
}

function readSessionClosed(value: unknown): ServerMessage {
  const [, cxid, zxid] = readTuple(value, 3);
  return { kind: "sessionClosed", cxid: readInteger(cxid), zxid: readZxid(zxid) };
}

/** Version and code stand first for ever, so that any two versions understand each other's refusal. */
function packGoodbye(message: Message<"goodbye">): Packed {
  const text = wellFormed(message.message);
  return [GOODBYE, message.protocolVersion, message.code, text, message.fatal];
}

function readGoodbye(value: unknown): ServerMessage {
  const [, version, codeField] = readList(value, TUPLE_ITEMS_MAX);
  const protocolVersion = readInteger(version);
  const code = readErrorCode(codeField);
  if (protocolVersion !== PROTOCOL_VERSION) {
    return { kind: "goodbye", code, message: "", fatal: true, protocolVersion };
  }
  const [, , , message, fatal] = readTuple(value, 5);
  return {
    kind: "goodbye",
    code,
    message: readString(message, GOODBYE_UNITS_MAX),
    fatal: readBoolean(fatal),
    protocolVersion,
  };
}
