import {
  malformed,
  readBoolean,
  readBytes,
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
  readVersion,
  readZxid,
  wellFormed,
} from "./codec-value.ts";
import { PROTOCOL_LIMITS } from "./limits.ts";
import { CREATE_MODES, type WriteOp, type WriteOutcome, type WriteReply } from "./op.ts";
import { ProtocolError } from "./protocol-error.ts";
import type { Stat } from "./stat.ts";

/** What a value is made of on its way to and from bytes. */
export type Packed = readonly unknown[];

const CREATE = 1;
const SET = 2;
const DELETE = 3;
const CHECK = 4;
const GUARD = 5;
const ACQUIRE = 6;
const RELEASE = 7;

/** First item of a tagged tuple. */
export function readTag(value: unknown): number {
  if (!Array.isArray(value) || value.length === 0) malformed("expected a tagged tuple");
  return readInteger((value as Packed)[0]);
}

export function unknownTag(what: string, tag: number): never {
  throw new ProtocolError("UNKNOWN_OPERATION", `${what} ${tag}`);
}

export function packOp(op: WriteOp): Packed {
  const path = wellFormed(op.path);
  switch (op.kind) {
    case "create":
      return [CREATE, path, op.data, CREATE_MODES.indexOf(op.mode)];
    case "set":
      return [SET, path, op.data, op.version];
    case "delete":
      return [DELETE, path, op.version];
    case "check":
      return [CHECK, path, op.version];
    case "guard":
      return [GUARD, path, op.token];
    case "acquire":
      return [ACQUIRE, path, op.data, op.wait];
    case "release":
      return [RELEASE, path, op.token];
    default:
      return unencodable(op);
  }
}

export function readOp(value: unknown): WriteOp {
  const tag = readTag(value);
  switch (tag) {
    case CREATE: {
      const fields = readTuple(value, 4);
      return {
        kind: "create",
        path: readPath(fields[1]),
        data: readData(fields[2]),
        mode: readChoice(fields[3], CREATE_MODES),
      };
    }
    case SET: {
      const fields = readTuple(value, 4);
      return {
        kind: "set",
        path: readPath(fields[1]),
        data: readData(fields[2]),
        version: readVersion(fields[3]),
      };
    }
    case DELETE:
    case CHECK: {
      const [, path, version] = readTuple(value, 3);
      const kind = tag === DELETE ? "delete" : "check";
      return { kind, path: readPath(path), version: readVersion(version) };
    }
    case GUARD:
    case RELEASE: {
      const [, path, token] = readTuple(value, 3);
      const kind = tag === GUARD ? "guard" : "release";
      return { kind, path: readPath(path), token: readToken(token) };
    }
    case ACQUIRE: {
      const fields = readTuple(value, 4);
      return {
        kind: "acquire",
        path: readPath(fields[1]),
        data: readData(fields[2]),
        wait: readBoolean(fields[3]),
      };
    }
    default:
      return unknownTag("op", tag);
  }
}

export function packOps(ops: readonly WriteOp[]): Packed {
  return ops.map(packOp);
}

export function readOps(value: unknown): readonly WriteOp[] {
  return readList(value, PROTOCOL_LIMITS.opsMax).map(readOp);
}

export function packStat(stat: Stat): Packed {
  return [
    stat.czxid,
    stat.mzxid,
    stat.pzxid,
    stat.ctimeMs,
    stat.mtimeMs,
    stat.version,
    stat.cversion,
    stat.aversion,
    stat.ephemeralOwner,
    stat.dataBytes,
    stat.childCount,
  ];
}

export function readStat(value: unknown): Stat {
  const fields = readTuple(value, 11);
  return {
    czxid: readZxid(fields[0]),
    mzxid: readZxid(fields[1]),
    pzxid: readZxid(fields[2]),
    ctimeMs: readInteger(fields[3]),
    mtimeMs: readInteger(fields[4]),
    version: readInteger(fields[5]),
    cversion: readInteger(fields[6]),
    aversion: readInteger(fields[7]),
    ephemeralOwner: fields[8] === 0 ? 0 : readSessionId(fields[8]),
    dataBytes: readInteger(fields[9]),
    childCount: readInteger(fields[10]),
  };
}

function packReply(reply: WriteReply): Packed {
  switch (reply.kind) {
    case "create":
      return [CREATE, reply.path, packStat(reply.stat)];
    case "set":
      return [SET, packStat(reply.stat)];
    case "delete":
      return [DELETE];
    case "check":
      return [CHECK, packStat(reply.stat)];
    case "guard":
      return [GUARD];
    case "acquire":
      return [ACQUIRE, reply.contender, reply.token, reply.held];
    case "release":
      return [RELEASE];
    default:
      return unencodable(reply);
  }
}

function readReply(value: unknown): WriteReply {
  const tag = readTag(value);
  switch (tag) {
    case CREATE: {
      const [, path, stat] = readTuple(value, 3);
      return { kind: "create", path: readPath(path), stat: readStat(stat) };
    }
    case SET:
      return { kind: "set", stat: readStat(readTuple(value, 2)[1]) };
    case CHECK:
      return { kind: "check", stat: readStat(readTuple(value, 2)[1]) };
    case ACQUIRE: {
      const [, contender, token, held] = readTuple(value, 4);
      return {
        kind: "acquire",
        contender: readPath(contender),
        token: readToken(token),
        held: readBoolean(held),
      };
    }
    case DELETE:
      readTuple(value, 1);
      return { kind: "delete" };
    case GUARD:
      readTuple(value, 1);
      return { kind: "guard" };
    case RELEASE:
      readTuple(value, 1);
      return { kind: "release" };
    default:
      return unknownTag("reply", tag);
  }
}

export function packOutcome(outcome: WriteOutcome): Packed {
  return outcome.ok
    ? [outcome.zxid, outcome.replies.map(packReply)]
    : [outcome.zxid, outcome.code, outcome.opIndex];
}

export function readOutcome(value: unknown): WriteOutcome {
  if (Array.isArray(value) && value.length === 2) {
    const [zxid, replies] = value as Packed;
    return {
      ok: true,
      zxid: readZxid(zxid),
      replies: readList(replies, PROTOCOL_LIMITS.opsMax).map(readReply),
    };
  }
  const [zxid, code, opIndex] = readTuple(value, 3);
  return {
    ok: false,
    zxid: readZxid(zxid),
    code: readErrorCode(code),
    opIndex: readInteger(opIndex, -1, PROTOCOL_LIMITS.opsMax),
  };
}

/** Text of people and addresses. */
export const TEXT_UNITS_MAX = 512;

export function readText(value: unknown): string {
  return readString(value, TEXT_UNITS_MAX);
}

export function readSecret(value: unknown): Uint8Array {
  return readBytes(value, 64);
}
