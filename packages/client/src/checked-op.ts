import {
  CREATE_MODES,
  PROTOCOL_LIMITS,
  SEQUENCE_DIGITS,
  checkPath,
  isReserved,
  isSequential,
  type ErrorCode,
  type Query,
  type WriteOp,
} from "@quorate/kv-store/protocol";
import type { MultiOp, ReadOptions } from "./api.ts";
import { QuorateError } from "./errors.ts";
import { shown } from "./shown.ts";

/**
 * Bytes of a message, and of an op in it, beside paths and data: more than the codec needs, so that an estimate is never
 * below the truth.
 */
const MESSAGE_BYTES = 64;
const OP_BYTES = 64;

/** What an answer, and each op's part in it, is counted with. */
const ANSWER_BYTES = 200;
/** UTF-16 units that the service may add to a path: a sequence number, or the name of a contender. */
const NAME_UNITS_ADDED = 64;

/** As long as any number that the service appends. */
const SEQUENCE = "0".repeat(SEQUENCE_DIGITS);

const encoder = new TextEncoder();

/** Largest estimate of one message: a frame must hold it. */
const MESSAGE_BYTES_MAX = PROTOCOL_LIMITS.frameBytesMax - 1024;

/** UTF-8 bytes of `text`. */
export function textBytes(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit <= 0x7f) continue;
    // The two units of a surrogate pair make four bytes.
    bytes += unit <= 0x7ff || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}

/** Null if `path` may be read and watched; else BAD_PATH. */
export function checkReadPath(path: string): QuorateError | null {
  const code = typeof path === "string" ? checkPath(path) : "BAD_PATH";
  // What the ensemble keeps for itself may be looked at where the server allows it.
  if (code === null || code === "RESERVED_PATH") return null;
  return new QuorateError(code, `"${shown(path)}" is no path of a znode`, { path });
}

/** BAD_ARGUMENTS for a consistency that there is none of: the service would take the whole frame for broken. */
export function checkConsistency(options: ReadOptions | undefined): QuorateError | null {
  const consistency = options?.consistency ?? "local";
  if (consistency === "local" || consistency === "linearizable") return null;
  return new QuorateError("BAD_ARGUMENTS", `unknown consistency ${shown(consistency)}`);
}

/** Codes: BAD_PATH, RESERVED_PATH, BAD_ARGUMENTS, TOO_LARGE. Null: the op may be sent. */
export function checkOp(op: WriteOp, opIndex: number): QuorateError | null {
  const { path } = op;
  const code = checkOpPath(op);
  if (code !== null) {
    const text = code === "BAD_PATH" ? "is no path of a znode" : "is kept for the ensemble";
    return new QuorateError(code, `"${shown(path)}" ${text}`, { path, opIndex });
  }
  switch (op.kind) {
    case "create":
      if (!CREATE_MODES.includes(op.mode))
        return badOp(op, opIndex, `unknown mode ${shown(op.mode)}`);
      return checkData(op, op.data, opIndex);
    case "set":
      return checkVersion(op, op.version, opIndex) ?? checkData(op, op.data, opIndex);
    case "delete":
    case "check":
      return checkVersion(op, op.version, opIndex);
    case "acquire":
      if (typeof op.wait !== "boolean") return badOp(op, opIndex, "wait must be true or false");
      return checkData(op, op.data, opIndex);
    case "guard":
    case "release":
      return isFencingToken(op.token) ? null : badOp(op, opIndex, "the token is none");
    default:
      return badOp(op, opIndex, "no such kind of op");
  }
}

/** All ops of one write; codes as {@link checkOp}. */
export function checkOps(ops: readonly WriteOp[]): QuorateError | null {
  if (!Array.isArray(ops) || ops.length === 0) {
    return new QuorateError("BAD_ARGUMENTS", "a write needs at least one op");
  }
  if (ops.length > PROTOCOL_LIMITS.opsMax) {
    return new QuorateError("TOO_LARGE", `${ops.length} ops, at most ${PROTOCOL_LIMITS.opsMax}`);
  }
  let opIndex = 0;
  for (const op of ops) {
    const error = isNoObject(op) ? noOp(opIndex) : checkOp(op, opIndex);
    if (error !== null) return error;
    opIndex += 1;
  }
  if (writeBytes(ops) <= MESSAGE_BYTES_MAX) return null;
  const path = ops[0]?.path ?? "";
  return new QuorateError("TOO_LARGE", "the ops do not fit into one frame", { path });
}

/** Bytes of a write on the wire, at least. */
export function writeBytes(ops: readonly WriteOp[]): number {
  let bytes = MESSAGE_BYTES;
  for (const op of ops) {
    bytes += OP_BYTES + textBytes(op.path);
    if (op.kind === "create" || op.kind === "set" || op.kind === "acquire") bytes += op.data.length;
  }
  return bytes;
}

/**
 * What the service keeps of a write's answer until it is acknowledged, bytes, at most. It stops taking writes of a session
 * whose unacknowledged answers exceed `outstandingBytesMax`, so they count against that bound here too: a list of many
 * small ops has an answer far larger than itself.
 */
export function answerBytes(ops: readonly WriteOp[]): number {
  let bytes = ANSWER_BYTES;
  for (const op of ops) {
    bytes += ANSWER_BYTES;
    if (op.kind === "create" || op.kind === "acquire") {
      bytes += 2 * (op.path.length + NAME_UNITS_ADDED);
    }
  }
  return bytes;
}

/** Bytes of a read on the wire, at least. */
export function queryBytes(query: Query): number {
  let bytes = MESSAGE_BYTES;
  if ("path" in query) bytes += textBytes(query.path);
  if (query.kind === "children" && query.after !== null) bytes += textBytes(query.after);
  return bytes;
}

/**
 * The op in full, with bytes of its own: what is sent, and perhaps sent again, must not change under the caller's hands.
 * What is no op stays as it is, for {@link checkOps} to find.
 */
export function ownedOp(op: MultiOp): WriteOp {
  if (isNoObject(op)) return op;
  switch (op.kind) {
    case "create":
      return { ...op, data: dataBytes(op.data ?? ""), mode: op.mode ?? "persistent" };
    case "set":
      return { ...op, data: dataBytes(op.data), version: op.version ?? null };
    case "delete":
    case "check":
      return { ...op, version: op.version ?? null };
    case "acquire":
      return { ...op, data: dataBytes(op.data) };
    default:
      return { ...op };
  }
}

/** Text as UTF-8, bytes as a copy. What is neither stays as it is, for {@link checkOp} to find. */
export function dataBytes(data: Uint8Array | string): Uint8Array {
  if (typeof data === "string") return encoder.encode(data);
  return data instanceof Uint8Array ? ownedBytes(data) : data;
}

/** A copy of `bytes` that keeps nothing else alive. */
export function ownedBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

/** A sequential znode is checked with a number, as the service does: before that "/jobs/" is no path. */
function checkOpPath(op: WriteOp): ErrorCode | null {
  const { path } = op;
  if (typeof path !== "string") return "BAD_PATH";
  if (op.kind !== "create" || !isSequential(op.mode)) return checkPath(path);
  return isReserved(path) ? "RESERVED_PATH" : checkPath(path + SEQUENCE);
}

function checkData(op: WriteOp, data: Uint8Array, opIndex: number): QuorateError | null {
  if (!(data instanceof Uint8Array))
    return badOp(op, opIndex, "data must be a Uint8Array or a string");
  if (data.length <= PROTOCOL_LIMITS.dataBytesMax) return null;
  const text = `${data.length} bytes of data, at most ${PROTOCOL_LIMITS.dataBytesMax}`;
  return new QuorateError("TOO_LARGE", text, { path: op.path, opIndex });
}

function checkVersion(op: WriteOp, version: number | null, opIndex: number): QuorateError | null {
  if (version === null || (Number.isSafeInteger(version) && version >= 0)) return null;
  return badOp(op, opIndex, `version ${shown(version)} is none`);
}

/** As the service takes them: for anything else it would take the whole frame for broken. */
function isFencingToken(token: number): boolean {
  return Number.isSafeInteger(token) && token >= 0;
}

/** What the types of ops rule out, and callers without types do all the same. */
function isNoObject(value: unknown): value is never {
  return typeof value !== "object" || value === null;
}

function noOp(opIndex: number): QuorateError {
  return new QuorateError("BAD_ARGUMENTS", "an op is an object", { opIndex });
}

function badOp(op: WriteOp, opIndex: number, text: string): QuorateError {
  return new QuorateError("BAD_ARGUMENTS", text, { path: op.path, opIndex });
}
