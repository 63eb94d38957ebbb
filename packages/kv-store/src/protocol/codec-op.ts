import { malformed, readBytes, readString, unencodable } from "./codec-value.ts";
import { PROTOCOL_LIMITS } from "./limits.ts";
import { CREATE_MODES, type WriteOp, type WriteOutcome, type WriteReply } from "./op.ts";
import { ProtocolError } from "./protocol-error.ts";
import type { Stat } from "./stat.ts";
import type { ValueReader } from "./value-reader.ts";
import type { ValueWriter } from "./value-writer.ts";

/** What a value is made of on its way to and from bytes, where it is not read and written piece by piece. */
export type Packed = readonly unknown[];

const CREATE = 1;
const SET = 2;
const DELETE = 3;
const CHECK = 4;
const GUARD = 5;
const ACQUIRE = 6;
const RELEASE = 7;

const SECRET_BYTES_MAX = 64;

/** Items of the longest tuple that begins with a tag. */
const TAGGED_MAX = 8;

export function unknownTag(what: string, tag: number): never {
  throw new ProtocolError("UNKNOWN_OPERATION", `${what} ${tag}`);
}

/** A tuple whose items, the tag among them, are not as many as its tag asks for is malformed. */
export function expectFields(count: number, expected: number): void {
  if (count !== expected) malformed(`expected ${expected} fields`);
}

export function writeOp(writer: ValueWriter, op: WriteOp): void {
  switch (op.kind) {
    case "create":
      beginOp(writer, 4, CREATE, op.path);
      writer.bytes(op.data);
      writer.integer(CREATE_MODES.indexOf(op.mode));
      return;
    case "set":
      beginOp(writer, 4, SET, op.path);
      writer.bytes(op.data);
      writeVersion(writer, op.version);
      return;
    case "delete":
      beginOp(writer, 3, DELETE, op.path);
      writeVersion(writer, op.version);
      return;
    case "check":
      beginOp(writer, 3, CHECK, op.path);
      writeVersion(writer, op.version);
      return;
    case "guard":
      beginOp(writer, 3, GUARD, op.path);
      writer.integer(op.token);
      return;
    case "acquire":
      beginOp(writer, 4, ACQUIRE, op.path);
      writer.bytes(op.data);
      writer.boolean(op.wait);
      return;
    case "release":
      beginOp(writer, 3, RELEASE, op.path);
      writer.integer(op.token);
      return;
    default:
      unencodable(op);
  }
}

function beginOp(writer: ValueWriter, fields: number, tag: number, path: string): void {
  writer.list(fields);
  writer.integer(tag);
  writer.text(path);
}

function writeVersion(writer: ValueWriter, version: number | null): void {
  if (version === null) writer.nil();
  else writer.integer(version);
}

export function readOp(reader: ValueReader): WriteOp {
  const count = reader.list(TAGGED_MAX);
  const tag = reader.integer();
  switch (tag) {
    case CREATE:
      expectFields(count, 4);
      return {
        kind: "create",
        path: reader.path(),
        data: reader.data(),
        mode: reader.choice(CREATE_MODES),
      };
    case SET:
      expectFields(count, 4);
      return { kind: "set", path: reader.path(), data: reader.data(), version: reader.version() };
    case DELETE:
      expectFields(count, 3);
      return { kind: "delete", path: reader.path(), version: reader.version() };
    case CHECK:
      expectFields(count, 3);
      return { kind: "check", path: reader.path(), version: reader.version() };
    case GUARD:
      expectFields(count, 3);
      return { kind: "guard", path: reader.path(), token: reader.token() };
    case ACQUIRE:
      expectFields(count, 4);
      return {
        kind: "acquire",
        path: reader.path(),
        data: reader.data(),
        wait: reader.boolean(),
      };
    case RELEASE:
      expectFields(count, 3);
      return { kind: "release", path: reader.path(), token: reader.token() };
    default:
      return unknownTag("op", tag);
  }
}

export function writeOps(writer: ValueWriter, ops: readonly WriteOp[]): void {
  writer.list(ops.length);
  for (const op of ops) writeOp(writer, op);
}

export function readOps(reader: ValueReader): readonly WriteOp[] {
  const count = reader.list(PROTOCOL_LIMITS.opsMax);
  // A list that begins as a literal takes a fraction of the memory of one that is pushed to; most have one item.
  if (count === 1) return [readOp(reader)];
  const ops: WriteOp[] = [];
  for (let i = 0; i < count; i += 1) ops.push(readOp(reader));
  return ops;
}

export function writeStat(writer: ValueWriter, stat: Stat): void {
  writer.list(11);
  writer.integer(stat.czxid);
  writer.integer(stat.mzxid);
  writer.integer(stat.pzxid);
  writer.integer(stat.ctimeMs);
  writer.integer(stat.mtimeMs);
  writer.integer(stat.version);
  writer.integer(stat.cversion);
  writer.integer(stat.aversion);
  writer.integer(stat.ephemeralOwner);
  writer.integer(stat.dataBytes);
  writer.integer(stat.childCount);
}

export function readStat(reader: ValueReader): Stat {
  reader.tuple(11);
  return {
    czxid: reader.zxid(),
    mzxid: reader.zxid(),
    pzxid: reader.zxid(),
    ctimeMs: reader.integer(),
    mtimeMs: reader.integer(),
    version: reader.integer(),
    cversion: reader.integer(),
    aversion: reader.integer(),
    ephemeralOwner: reader.owner(),
    dataBytes: reader.integer(),
    childCount: reader.integer(),
  };
}

function writeReply(writer: ValueWriter, reply: WriteReply): void {
  switch (reply.kind) {
    case "create":
      writer.list(3);
      writer.integer(CREATE);
      writer.text(reply.path);
      writeStat(writer, reply.stat);
      return;
    case "set":
      writer.list(2);
      writer.integer(SET);
      writeStat(writer, reply.stat);
      return;
    case "check":
      writer.list(2);
      writer.integer(CHECK);
      writeStat(writer, reply.stat);
      return;
    case "acquire":
      writer.list(4);
      writer.integer(ACQUIRE);
      writer.text(reply.contender);
      writer.integer(reply.token);
      writer.boolean(reply.held);
      return;
    case "delete":
      writeBareReply(writer, DELETE);
      return;
    case "guard":
      writeBareReply(writer, GUARD);
      return;
    case "release":
      writeBareReply(writer, RELEASE);
      return;
    default:
      unencodable(reply);
  }
}

function writeBareReply(writer: ValueWriter, tag: number): void {
  writer.list(1);
  writer.integer(tag);
}

function readReply(reader: ValueReader): WriteReply {
  const count = reader.list(TAGGED_MAX);
  const tag = reader.integer();
  switch (tag) {
    case CREATE:
      expectFields(count, 3);
      return { kind: "create", path: reader.path(), stat: readStat(reader) };
    case SET:
      expectFields(count, 2);
      return { kind: "set", stat: readStat(reader) };
    case CHECK:
      expectFields(count, 2);
      return { kind: "check", stat: readStat(reader) };
    case ACQUIRE:
      expectFields(count, 4);
      return {
        kind: "acquire",
        contender: reader.path(),
        token: reader.token(),
        held: reader.boolean(),
      };
    case DELETE:
      expectFields(count, 1);
      return { kind: "delete" };
    case GUARD:
      expectFields(count, 1);
      return { kind: "guard" };
    case RELEASE:
      expectFields(count, 1);
      return { kind: "release" };
    default:
      return unknownTag("reply", tag);
  }
}

export function writeOutcome(writer: ValueWriter, outcome: WriteOutcome): void {
  if (outcome.ok) {
    writer.list(2);
    writer.integer(outcome.zxid);
    writer.list(outcome.replies.length);
    for (const reply of outcome.replies) writeReply(writer, reply);
  } else {
    writer.list(3);
    writer.integer(outcome.zxid);
    writer.text(outcome.code);
    writer.integer(outcome.opIndex);
  }
}

export function readOutcome(reader: ValueReader): WriteOutcome {
  const count = reader.list(3);
  const zxid = reader.zxid();
  if (count === 2) return { ok: true, zxid, replies: readReplies(reader) };
  expectFields(count, 3);
  const code = reader.errorCode();
  return { ok: false, zxid, code, opIndex: reader.integer(-1, PROTOCOL_LIMITS.opsMax) };
}

function readReplies(reader: ValueReader): readonly WriteReply[] {
  const count = reader.list(PROTOCOL_LIMITS.opsMax);
  if (count === 1) return [readReply(reader)];
  const replies: WriteReply[] = [];
  for (let i = 0; i < count; i += 1) replies.push(readReply(reader));
  return replies;
}

/** Text of people and addresses. */
export const TEXT_UNITS_MAX = 512;

export function readText(value: unknown): string {
  return readString(value, TEXT_UNITS_MAX);
}

/** What a session is known by: two clients that took a short one could come to share a session. */
export function readSecret(value: unknown): Uint8Array {
  const secret = readBytes(value, SECRET_BYTES_MAX);
  const { secretBytes } = PROTOCOL_LIMITS;
  if (secret.length < secretBytes) malformed(`a secret of less than ${secretBytes} bytes`);
  return secret;
}
