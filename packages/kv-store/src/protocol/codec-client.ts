import {
  type Packed,
  packOps,
  readOps,
  readSecret,
  readTag,
  readText,
  unknownTag,
} from "./codec-op.ts";
import { packQuery, readQuery } from "./codec-query.ts";
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
import { PROTOCOL_VERSION } from "./version.ts";

const HELLO = 1;
const WRITE = 2;
const SKIP = 3;
const READ = 4;
const ADD_WATCH = 5;
const REMOVE_WATCH = 6;
const PING = 7;
const CLOSE_SESSION = 8;

/** Items of the longest tuple that another version may have. */
const TUPLE_ITEMS_MAX = 64;

const CONSISTENCIES = ["linearizable", "local"] as const;

export function packClientMessage(message: ClientMessage): Packed {
  switch (message.kind) {
    case "hello":
      return packHello(message);
    case "write":
      return [WRITE, message.writeSeq, message.ackedSeq, packOps(message.ops)];
    case "skip":
      return [SKIP, message.writeSeq, message.ackedSeq];
    case "read": {
      const consistency = CONSISTENCIES.indexOf(message.consistency);
      return [READ, message.cxid, consistency, packQuery(message.query)];
    }
    case "addWatch":
      return [
        ADD_WATCH,
        message.cxid,
        message.watchId,
        wellFormed(message.path),
        WATCH_MODES.indexOf(message.mode),
        message.withData,
        message.sinceZxid,
      ];
    case "removeWatch":
      return [REMOVE_WATCH, message.cxid, message.watchId];
    case "ping":
      return [PING, message.pingId];
    case "closeSession":
      return [CLOSE_SESSION, message.cxid];
    default:
      return unencodable(message);
  }
}

export function readClientMessage(value: unknown): ClientMessage {
  const tag = readTag(value);
  switch (tag) {
    case HELLO:
      return readHello(value);
    case WRITE: {
      const [, writeSeq, ackedSeq, ops] = readTuple(value, 4);
      return {
        kind: "write",
        writeSeq: readWriteSeq(writeSeq),
        ackedSeq: readAckedSeq(ackedSeq),
        ops: readOps(ops),
      };
    }
    case SKIP: {
      const [, writeSeq, ackedSeq] = readTuple(value, 3);
      return {
        kind: "skip",
        writeSeq: readWriteSeq(writeSeq),
        ackedSeq: readAckedSeq(ackedSeq),
      };
    }
    case READ: {
      const [, cxid, consistency, query] = readTuple(value, 4);
      return {
        kind: "read",
        cxid: readInteger(cxid),
        consistency: readChoice(consistency, CONSISTENCIES),
        query: readQuery(query),
      };
    }
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
