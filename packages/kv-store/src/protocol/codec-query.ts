import { expectFields, readStat, TEXT_UNITS_MAX, unknownTag, writeStat } from "./codec-op.ts";
import { malformed, unencodable } from "./codec-value.ts";
import type { ErrorCode } from "./error-code.ts";
import { PROTOCOL_LIMITS } from "./limits.ts";
import type { Query, QueryReply, SessionInfo } from "./op.ts";
import type { ValueReader } from "./value-reader.ts";
import type { ValueWriter } from "./value-writer.ts";

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

/** Items of the longest tuple that begins with a tag. */
const TAGGED_MAX = 8;

export function writeQuery(writer: ValueWriter, query: Query): void {
  switch (query.kind) {
    case "get":
      beginPathQuery(writer, 2, GET, query.path);
      return;
    case "exists":
      beginPathQuery(writer, 2, EXISTS, query.path);
      return;
    case "children":
      beginPathQuery(writer, 4, CHILDREN, query.path);
      if (query.after === null) writer.nil();
      else writer.text(query.after);
      writer.integer(query.limit);
      return;
    case "holder":
      beginPathQuery(writer, 2, HOLDER, query.path);
      return;
    case "contender":
      beginPathQuery(writer, 3, CONTENDER, query.path);
      writer.integer(query.token);
      return;
    case "sessions":
      writer.list(3);
      writer.integer(SESSIONS);
      writer.integer(query.after);
      writer.integer(query.limit);
      return;
    case "sync":
      writer.list(1);
      writer.integer(SYNC);
      return;
    default:
      unencodable(query);
  }
}

function beginPathQuery(writer: ValueWriter, fields: number, tag: number, path: string): void {
  writer.list(fields);
  writer.integer(tag);
  writer.text(path);
}

export function readQuery(reader: ValueReader): Query {
  const count = reader.list(TAGGED_MAX);
  const tag = reader.integer();
  switch (tag) {
    case GET:
      expectFields(count, 2);
      return { kind: "get", path: reader.path() };
    case EXISTS:
      expectFields(count, 2);
      return { kind: "exists", path: reader.path() };
    case CHILDREN:
      expectFields(count, 4);
      return {
        kind: "children",
        path: reader.path(),
        after: reader.nil() ? null : reader.path(),
        limit: readLimit(reader),
      };
    case HOLDER:
      expectFields(count, 2);
      return { kind: "holder", path: reader.path() };
    case CONTENDER:
      expectFields(count, 3);
      return { kind: "contender", path: reader.path(), token: reader.token() };
    case SESSIONS:
      expectFields(count, 3);
      return { kind: "sessions", after: reader.owner(), limit: readLimit(reader) };
    case SYNC:
      expectFields(count, 1);
      return { kind: "sync" };
    default:
      return unknownTag("query", tag);
  }
}

function readLimit(reader: ValueReader): number {
  return reader.integer(1, PROTOCOL_LIMITS.pageMax);
}

export function writeQueryResult(writer: ValueWriter, result: QueryResult): void {
  if (result.ok) {
    writer.list(1);
    writeQueryReply(writer, result.value);
  } else {
    writer.list(2);
    writer.nil();
    writer.text(result.code);
  }
}

export function readQueryResult(reader: ValueReader): QueryResult {
  const count = reader.list(2);
  if (count === 1) return { ok: true, value: readQueryReply(reader) };
  expectFields(count, 2);
  if (!reader.nil()) malformed("expected null");
  return { ok: false, code: reader.errorCode() };
}

function writeQueryReply(writer: ValueWriter, reply: QueryReply): void {
  switch (reply.kind) {
    case "get":
      writer.list(3);
      writer.integer(GET);
      writer.bytes(reply.data);
      writeStat(writer, reply.stat);
      return;
    case "exists":
      writer.list(2);
      writer.integer(EXISTS);
      if (reply.stat === null) writer.nil();
      else writeStat(writer, reply.stat);
      return;
    case "children":
      writer.list(4);
      writer.integer(CHILDREN);
      writer.list(reply.names.length);
      for (const name of reply.names) writer.text(name);
      writer.boolean(reply.more);
      writeStat(writer, reply.stat);
      return;
    case "holder":
      writeHolder(writer, reply);
      return;
    case "contender":
      writer.list(2);
      writer.integer(CONTENDER);
      writer.integer(CONTENDER_STATES.indexOf(reply.state));
      return;
    case "sessions":
      writer.list(3);
      writer.integer(SESSIONS);
      writer.list(reply.sessions.length);
      for (const session of reply.sessions) writeSessionInfo(writer, session);
      writer.boolean(reply.more);
      return;
    case "sync":
      writer.list(1);
      writer.integer(SYNC);
      return;
    default:
      unencodable(reply);
  }
}

function readQueryReply(reader: ValueReader): QueryReply {
  const count = reader.list(TAGGED_MAX);
  const tag = reader.integer();
  switch (tag) {
    case GET:
      expectFields(count, 3);
      return { kind: "get", data: reader.data(), stat: readStat(reader) };
    case EXISTS:
      expectFields(count, 2);
      return { kind: "exists", stat: reader.nil() ? null : readStat(reader) };
    case CHILDREN:
      expectFields(count, 4);
      return {
        kind: "children",
        names: readNames(reader),
        more: reader.boolean(),
        stat: readStat(reader),
      };
    case HOLDER:
      expectFields(count, 3);
      return { kind: "holder", holder: readHolder(reader), waiting: reader.integer() };
    case CONTENDER:
      expectFields(count, 2);
      return { kind: "contender", state: reader.choice(CONTENDER_STATES) };
    case SESSIONS:
      expectFields(count, 3);
      return { kind: "sessions", sessions: readSessions(reader), more: reader.boolean() };
    case SYNC:
      expectFields(count, 1);
      return { kind: "sync" };
    default:
      return unknownTag("query reply", tag);
  }
}

function readNames(reader: ValueReader): readonly string[] {
  const count = reader.list(PROTOCOL_LIMITS.pageMax);
  const names: string[] = [];
  for (let i = 0; i < count; i += 1) names.push(reader.text(PROTOCOL_LIMITS.nameBytesMax));
  return names;
}

type HolderReply = Extract<QueryReply, { readonly kind: "holder" }>;

function writeHolder(writer: ValueWriter, { holder, waiting }: HolderReply): void {
  writer.list(3);
  writer.integer(HOLDER);
  if (holder === null) {
    writer.nil();
  } else {
    writer.list(4);
    writer.text(holder.contender);
    writer.integer(holder.token);
    writer.integer(holder.session);
    writer.bytes(holder.data);
  }
  writer.integer(waiting);
}

function readHolder(reader: ValueReader): HolderReply["holder"] {
  if (reader.nil()) return null;
  reader.tuple(4);
  return {
    contender: reader.path(),
    token: reader.token(),
    session: reader.sessionId(),
    data: reader.data(),
  };
}

function writeSessionInfo(writer: ValueWriter, info: SessionInfo): void {
  writer.list(7);
  writer.integer(info.id);
  writer.integer(info.timeoutMs);
  writer.integer(info.ephemeralCount);
  writer.text(info.address);
  writer.text(info.clientName);
  writer.integer(info.attachedTo);
  writer.integer(info.attachZxid);
}

function readSessions(reader: ValueReader): readonly SessionInfo[] {
  const count = reader.list(PROTOCOL_LIMITS.pageMax);
  const sessions: SessionInfo[] = [];
  for (let i = 0; i < count; i += 1) sessions.push(readSessionInfo(reader));
  return sessions;
}

function readSessionInfo(reader: ValueReader): SessionInfo {
  reader.tuple(7);
  return {
    id: reader.sessionId(),
    timeoutMs: reader.integer(),
    ephemeralCount: reader.integer(),
    address: reader.text(TEXT_UNITS_MAX),
    clientName: reader.text(TEXT_UNITS_MAX),
    attachedTo: reader.integer(),
    attachZxid: reader.zxid(),
  };
}
