import {
  expectFields,
  type Packed,
  readOps,
  readSecret,
  readText,
  unknownTag,
  writeOps,
} from "./codec-op.ts";
import { readQuery, writeQuery } from "./codec-query.ts";
import {
  readBoolean,
  readChoice,
  readInteger,
  readList,
  readPath,
  readSessionId,
  readString,
  readTuple,
  unencodable,
  readWriteSeq,
  readZxid,
  wellFormed,
} from "./codec-value.ts";
import { WATCH_MODES } from "./event.ts";
import type { ClientMessage, Hello } from "./frame.ts";
import type { WriteSeq } from "./ids.ts";
import { PROTOCOL_LIMITS } from "./limits.ts";
import type { ValueReader } from "./value-reader.ts";
import type { ValueWriter } from "./value-writer.ts";
import { PROTOCOL_VERSION } from "./version.ts";

const HELLO = 1;
const WRITE = 2;
const SKIP = 3;
const READ = 4;
const ADD_WATCH = 5;
const REMOVE_WATCH = 6;
const PING = 7;
const CLOSE_SESSION = 8;

/**
 * Items of the longest tuple that another version may have, and of all lists of a message that is unpacked whole together:
 * none of them has a list within.
 */
const TUPLE_ITEMS_MAX = 64;

const CONSISTENCIES = ["linearizable", "local"] as const;

export function writeClientMessage(writer: ValueWriter, message: ClientMessage): void {
  switch (message.kind) {
    case "hello":
      writer.value(packHello(message));
      return;
    case "write":
      writer.list(4);
      writer.integer(WRITE);
      writer.integer(message.writeSeq);
      writer.integer(message.ackedSeq);
      writeOps(writer, message.ops);
      return;
    case "skip":
      writer.list(3);
      writer.integer(SKIP);
      writer.integer(message.writeSeq);
      writer.integer(message.ackedSeq);
      return;
    case "read":
      writer.list(4);
      writer.integer(READ);
      writer.integer(message.cxid);
      writer.integer(CONSISTENCIES.indexOf(message.consistency));
      writeQuery(writer, message.query);
      return;
    case "addWatch":
      writer.value(packAddWatch(message));
      return;
    case "removeWatch":
      writer.value([REMOVE_WATCH, message.cxid, message.watchId]);
      return;
    case "ping":
      writer.value([PING, message.pingId]);
      return;
    case "closeSession":
      writer.value([CLOSE_SESSION, message.cxid]);
      return;
    default:
      unencodable(message);
  }
}

export function readClientMessage(reader: ValueReader): ClientMessage {
  const start = reader.position;
  const count = reader.list(TUPLE_ITEMS_MAX);
  const tag = reader.integer();
  switch (tag) {
    case WRITE:
      expectFields(count, 4);
      return {
        kind: "write",
        writeSeq: reader.writeSeq(),
        ackedSeq: reader.ackedSeq(),
        ops: readOps(reader),
      };
    case SKIP:
      expectFields(count, 3);
      return { kind: "skip", writeSeq: reader.writeSeq(), ackedSeq: reader.ackedSeq() };
    case READ:
      expectFields(count, 4);
      return {
        kind: "read",
        cxid: reader.integer(),
        consistency: reader.choice(CONSISTENCIES),
        query: readQuery(reader),
      };
    default:
      reader.rewind(start);
      return readRareMessage(tag, reader.value(TUPLE_ITEMS_MAX));
  }
}

function readRareMessage(tag: number, value: unknown): ClientMessage {
  switch (tag) {
    case HELLO:
      return readHello(value);
    case ADD_WATCH:
      return readAddWatch(value);
    case REMOVE_WATCH: {
      const [, cxid, watchId] = readTuple(value, 3);
      return { kind: "removeWatch", cxid: readInteger(cxid), watchId: readInteger(watchId) };
    }
    case PING:
      return { kind: "ping", pingId: readInteger(readTuple(value, 2)[1]) };
    case CLOSE_SESSION:
      return { kind: "closeSession", cxid: readInteger(readTuple(value, 2)[1]) };
    default:
      return unknownTag("client message", tag);
  }
}

/** 0, or the number of a write. */
export function readAckedSeq(value: unknown): WriteSeq | 0 {
  return value === 0 ? 0 : readWriteSeq(value);
}

/** The version stands first for ever, so that any two versions understand each other's refusal. */
function packHello(hello: Hello): Packed {
  return [
    HELLO,
    hello.protocolVersion,
    hello.session,
    hello.secret,
    hello.timeoutMs,
    hello.lastZxid,
    wellFormed(hello.historyId),
    wellFormed(hello.clientName),
  ];
}

function readHello(value: unknown): Hello {
  const protocolVersion = readInteger(readList(value, TUPLE_ITEMS_MAX)[1]);
  if (protocolVersion !== PROTOCOL_VERSION) return foreignHello(protocolVersion);
  const fields = readTuple(value, 8);
  return {
    kind: "hello",
    protocolVersion,
    session: fields[2] === null ? null : readSessionId(fields[2]),
    secret: readSecret(fields[3]),
    timeoutMs: readInteger(fields[4]),
    lastZxid: readZxid(fields[5]),
    historyId: readText(fields[6]),
    clientName: readString(fields[7], PROTOCOL_LIMITS.clientNameBytesMax),
  };
}

/** Of another version's hello nothing but the version can be read. */
function foreignHello(protocolVersion: number): Hello {
  return {
    kind: "hello",
    protocolVersion,
    session: null,
    secret: new Uint8Array(0),
    timeoutMs: 0,
    lastZxid: 0,
    historyId: "",
    clientName: "",
  };
}

function packAddWatch(message: Extract<ClientMessage, { readonly kind: "addWatch" }>): Packed {
  return [
    ADD_WATCH,
    message.cxid,
    message.watchId,
    wellFormed(message.path),
    WATCH_MODES.indexOf(message.mode),
    message.withData,
    message.sinceZxid,
  ];
}

function readAddWatch(value: unknown): ClientMessage {
  const fields = readTuple(value, 7);
  return {
    kind: "addWatch",
    cxid: readInteger(fields[1]),
    watchId: readInteger(fields[2]),
    path: readPath(fields[3]),
    mode: readChoice(fields[4], WATCH_MODES),
    withData: readBoolean(fields[5]),
    sinceZxid: fields[6] === null ? null : readZxid(fields[6]),
  };
}
