import { readAckedSeq } from "./codec-client.ts";
import {
  expectFields,
  type Packed,
  readOutcome,
  readStat,
  readText,
  unknownTag,
  writeOutcome,
  writeStat,
} from "./codec-op.ts";
import { readQueryResult, writeQueryResult } from "./codec-query.ts";
import {
  malformed,
  readBoolean,
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
import { EVENT_KINDS, type WatchEvent } from "./event.ts";
import type { ServerMessage } from "./frame.ts";
import { PROTOCOL_LIMITS } from "./limits.ts";
import type { ValueReader } from "./value-reader.ts";
import type { ValueWriter } from "./value-writer.ts";
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
const SERVERS = 14;

const SERVERS_MAX = 64;
/** Events of one revision: ops of a write, or ephemerals of the sessions that ended in one entry. */
const EVENTS_MAX = PROTOCOL_LIMITS.frameBytesMax;
const GOODBYE_UNITS_MAX = 4096;
/** Items of the longest tuple that another version may have. */
const TUPLE_ITEMS_MAX = 64;
/** Items of all lists of a message that is unpacked whole. */
const ITEMS_MAX = TUPLE_ITEMS_MAX + SERVERS_MAX;

type Message<K extends ServerMessage["kind"]> = Extract<ServerMessage, { readonly kind: K }>;

export function writeServerMessage(writer: ValueWriter, message: ServerMessage): void {
  switch (message.kind) {
    case "writeReply":
      writer.list(3);
      writer.integer(WRITE_REPLY);
      writer.integer(message.writeSeq);
      writeOutcome(writer, message.outcome);
      return;
    case "readReply":
      writer.list(4);
      writer.integer(READ_REPLY);
      writer.integer(message.cxid);
      writer.integer(message.zxid);
      writeQueryResult(writer, message.reply);
      return;
    case "events":
      writer.list(3);
      writer.integer(EVENTS);
      writer.integer(message.zxid);
      writer.list(message.events.length);
      for (const item of message.events) writeEventItem(writer, item);
      return;
    default:
      writer.value(packRareMessage(message));
  }
}

function packRareMessage(
  message: Exclude<ServerMessage, { readonly kind: "writeReply" | "readReply" | "events" }>,
): Packed {
  switch (message.kind) {
    case "welcome":
      return packWelcome(message);
    case "watchAdded":
      return [WATCH_ADDED, message.cxid, message.watchId, message.zxid];
    case "watchRemoved":
      return [WATCH_REMOVED, message.cxid, message.watchId];
    case "watchRefused":
      return [WATCH_REFUSED, message.cxid, message.watchId, message.code];
    case "watchLost":
      return [WATCH_LOST, message.cxid, message.watchId, message.oldestZxid, message.zxid];
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
    case "servers":
      return [SERVERS, message.servers.map(wellFormed)];
    default:
      return unencodable(message);
  }
}

type Reader = (value: unknown) => ServerMessage;

/** Of the rare messages, indexed by tag. */
const READERS: readonly (Reader | undefined)[] = [
  undefined,
  readWelcome,
  undefined,
  undefined,
  readWatchAdded,
  readWatchRemoved,
  readWatchRefused,
  readWatchLost,
  undefined,
  readGranted,
  readPong,
  readRefused,
  readSessionClosed,
  readGoodbye,
  readServers,
];

export function readServerMessage(reader: ValueReader): ServerMessage {
  const start = reader.position;
  const count = reader.list(TUPLE_ITEMS_MAX);
  const tag = reader.integer();
  switch (tag) {
    case WRITE_REPLY:
      expectFields(count, 3);
      return { kind: "writeReply", writeSeq: reader.writeSeq(), outcome: readOutcome(reader) };
    case READ_REPLY:
      expectFields(count, 4);
      return {
        kind: "readReply",
        cxid: reader.integer(),
        zxid: reader.zxid(),
        reply: readQueryResult(reader),
      };
    case EVENTS:
      expectFields(count, 3);
      return readEvents(reader);
    default: {
      const read = READERS[tag] ?? unknownTag("server message", tag);
      reader.rewind(start);
      return read(reader.value(ITEMS_MAX));
    }
  }
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
    servers: readAddresses(fields[9]),
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
function writeEventItem(writer: ValueWriter, item: EventItem): void {
  const { kind, path, data, stat } = item.event;
  const isBare = data === undefined || stat === undefined;
  writer.list(isBare ? 3 : 5);
  writer.list(item.watchIds.length);
  for (const watchId of item.watchIds) writer.integer(watchId);
  writer.integer(EVENT_KINDS.indexOf(kind));
  writer.text(path);
  if (isBare) return;
  writer.bytes(data);
  writeStat(writer, stat);
}

function readEvents(reader: ValueReader): ServerMessage {
  const zxid = reader.zxid();
  const count = reader.list(EVENTS_MAX);
  const events: EventItem[] = [];
  for (let i = 0; i < count; i += 1) events.push(readEventItem(reader, zxid));
  return { kind: "events", zxid, events };
}

function readEventItem(reader: ValueReader, zxid: WatchEvent["zxid"]): EventItem {
  const count = reader.list(5);
  const watchIds: number[] = [];
  const watches = reader.list(PROTOCOL_LIMITS.watchesMax);
  if (watches === 0) malformed("an event for no watch");
  for (let i = 0; i < watches; i += 1) watchIds.push(reader.integer());
  const kind = reader.choice(EVENT_KINDS);
  const path = reader.path();
  if (count === 3) return { watchIds, event: { zxid, kind, path } };
  expectFields(count, 5);
  return { watchIds, event: { zxid, kind, path, data: reader.data(), stat: readStat(reader) } };
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

function readServers(value: unknown): ServerMessage {
  const [, servers] = readTuple(value, 2);
  return { kind: "servers", servers: readAddresses(servers) };
}

function readAddresses(value: unknown): readonly string[] {
  return readList(value, SERVERS_MAX).map(readText);
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
