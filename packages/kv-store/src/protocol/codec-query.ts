import { type Packed, readStat, readTag, readText, packStat, unknownTag } from "./codec-op.ts";
import {
  readBoolean,
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
  readZxid,
  wellFormed,
} from "./codec-value.ts";
import type { ErrorCode } from "./error-code.ts";
import { PROTOCOL_LIMITS } from "./limits.ts";
import type { Query, QueryReply, SessionInfo } from "./op.ts";

const GET = 1;
const EXISTS = 2;
const CHILDREN = 3;
const HOLDER = 4;
const CONTENDER = 5;
const SESSIONS = 6;
const SYNC = 7;

const CONTENDER_STATES = ["held", "waiting", "gone"] as const;

/** Answer to a query, or why there is none. */
export type QueryResult =
  | { readonly ok: true; readonly value: QueryReply }
  | { readonly ok: false; readonly code: ErrorCode };

export function packQuery(query: Query): Packed {
  switch (query.kind) {
    case "get":
      return [GET, wellFormed(query.path)];
    case "exists":
      return [EXISTS, wellFormed(query.path)];
    case "children": {
      const after = query.after === null ? null : wellFormed(query.after);
      return [CHILDREN, wellFormed(query.path), after, query.limit];
    }
    case "holder":
      return [HOLDER, wellFormed(query.path)];
    case "contender":
      return [CONTENDER, wellFormed(query.path), query.token];
    case "sessions":
      return [SESSIONS, query.after, query.limit];
    case "sync":
      return [SYNC];
    default:
      return unencodable(query);
  }
}

export function readQuery(value: unknown): Query {
  const tag = readTag(value);
  switch (tag) {
    case GET:
      return { kind: "get", path: readPath(readTuple(value, 2)[1]) };
    case EXISTS:
      return { kind: "exists", path: readPath(readTuple(value, 2)[1]) };
    case CHILDREN: {
      const [, path, after, limit] = readTuple(value, 4);
      return {
        kind: "children",
        path: readPath(path),
        after: after === null ? null : readPath(after),
        limit: readLimit(limit),
      };
    }
    case HOLDER:
      return { kind: "holder", path: readPath(readTuple(value, 2)[1]) };
    case CONTENDER: {
      const [, path, token] = readTuple(value, 3);
      return { kind: "contender", path: readPath(path), token: readToken(token) };
    }
    case SESSIONS: {
      const [, after, limit] = readTuple(value, 3);
      return {
        kind: "sessions",
        after: after === 0 ? 0 : readSessionId(after),
        limit: readLimit(limit),
      };
    }
    case SYNC:
      readTuple(value, 1);
      return { kind: "sync" };
    default:
      return unknownTag("query", tag);
  }
}

function readLimit(value: unknown): number {
  return readInteger(value, 1, PROTOCOL_LIMITS.pageMax);
}

export function packQueryResult(result: QueryResult): Packed {
  return result.ok ? [packQueryReply(result.value)] : [null, result.code];
}

export function readQueryResult(value: unknown): QueryResult {
  if (Array.isArray(value) && value.length === 1) {
    return { ok: true, value: readQueryReply((value as Packed)[0]) };
  }
  const [nothing, code] = readTuple(value, 2);
  return nothing === null
    ? { ok: false, code: readErrorCode(code) }
    : unknownTag("query result", -1);
}

function packQueryReply(reply: QueryReply): Packed {
  switch (reply.kind) {
    case "get":
      return [GET, reply.data, packStat(reply.stat)];
    case "exists":
      return [EXISTS, reply.stat === null ? null : packStat(reply.stat)];
    case "children":
      return [CHILDREN, reply.names, reply.more, packStat(reply.stat)];
    case "holder": {
      const holder = reply.holder;
      const packed =
        holder === null ? null : [holder.contender, holder.token, holder.session, holder.data];
      return [HOLDER, packed, reply.waiting];
    }
    case "contender":
      return [CONTENDER, CONTENDER_STATES.indexOf(reply.state)];
    case "sessions":
      return [SESSIONS, reply.sessions.map(packSessionInfo), reply.more];
    case "sync":
      return [SYNC];
    default:
      return unencodable(reply);
  }
}

function readQueryReply(value: unknown): QueryReply {
  const tag = readTag(value);
  switch (tag) {
    case GET: {
      const [, data, stat] = readTuple(value, 3);
      return { kind: "get", data: readData(data), stat: readStat(stat) };
    }
    case EXISTS: {
      const stat = readTuple(value, 2)[1];
      return { kind: "exists", stat: stat === null ? null : readStat(stat) };
    }
    case CHILDREN: {
      const [, names, more, stat] = readTuple(value, 4);
      return {
        kind: "children",
        names: readList(names, PROTOCOL_LIMITS.pageMax).map(readName),
        more: readBoolean(more),
        stat: readStat(stat),
      };
    }
    case HOLDER:
      return readHolder(value);
    case CONTENDER: {
      const state = CONTENDER_STATES[readInteger(readTuple(value, 2)[1], 0, 2)];
      return { kind: "contender", state: state ?? "gone" };
    }
    case SESSIONS: {
      const [, sessions, more] = readTuple(value, 3);
      return {
        kind: "sessions",
        sessions: readList(sessions, PROTOCOL_LIMITS.pageMax).map(readSessionInfo),
        more: readBoolean(more),
      };
    }
    case SYNC:
      readTuple(value, 1);
      return { kind: "sync" };
    default:
      return unknownTag("query reply", tag);
  }
}

function readName(value: unknown): string {
  return readString(value, PROTOCOL_LIMITS.nameBytesMax);
}

function readHolder(value: unknown): QueryReply {
  const [, holder, waitingField] = readTuple(value, 3);
  const waiting = readInteger(waitingField);
  if (holder === null) return { kind: "holder", holder: null, waiting };
  const [contender, token, session, data] = readTuple(holder, 4);
  return {
    kind: "holder",
    holder: {
      contender: readPath(contender),
      token: readToken(token),
      session: readSessionId(session),
      data: readData(data),
    },
    waiting,
  };
}

function packSessionInfo(info: SessionInfo): Packed {
  return [
    info.id,
    info.timeoutMs,
    info.ephemeralCount,
    wellFormed(info.address),
    wellFormed(info.clientName),
    info.attachedTo,
    info.attachZxid,
  ];
}

function readSessionInfo(value: unknown): SessionInfo {
  const fields = readTuple(value, 7);
  return {
    id: readSessionId(fields[0]),
    timeoutMs: readInteger(fields[1]),
    ephemeralCount: readInteger(fields[2]),
    address: readText(fields[3]),
    clientName: readText(fields[4]),
    attachedTo: readInteger(fields[5]),
    attachZxid: readZxid(fields[6]),
  };
}
