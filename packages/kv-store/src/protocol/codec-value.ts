import { ERROR_CODES, type ErrorCode } from "./error-code.ts";
import {
  type FencingToken,
  fencingToken,
  type SessionId,
  sessionId,
  type WriteSeq,
  writeSeq,
  type Zxid,
  zxid,
} from "./ids.ts";
import { PROTOCOL_LIMITS } from "./limits.ts";
import { ProtocolError } from "./protocol-error.ts";

/** UTF-16 units of a path on the wire: what is longer than a legal path still reaches the tree to be refused there. */
const PATH_UNITS_MAX = 4 * PROTOCOL_LIMITS.pathBytesMax;
const CODE_UNITS_MAX = 64;
/** Half of a pair or none of one; by far the most texts have neither, and this expression tells so at once. */
const ANY_SURROGATE = /[\ud800-\udfff]/;
const LONE_SURROGATES = /\p{Surrogate}/gu;

/** Throws the error for a value that is not what its place asks for. */
export function malformed(what: string): never {
  throw new ProtocolError("PROTOCOL_ERROR", what);
}

/** An array of exactly `length` items. */
export function readTuple(value: unknown, length: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length !== length) malformed(`expected ${length} fields`);
  return value as readonly unknown[];
}

/** An array of at most `countMax` items. */
export function readList(value: unknown, countMax: number): readonly unknown[] {
  if (!Array.isArray(value)) malformed("expected a list");
  if (value.length > countMax) malformed(`more than ${countMax} items`);
  return value as readonly unknown[];
}

/** An integer from `min` to `max`. */
export function readInteger(
  value: unknown,
  min: number = 0,
  max: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) malformed("expected an integer");
  if (value < min || value > max) malformed(`expected an integer from ${min} to ${max}`);
  // Turns the negative zero, which only a hash would tell apart.
  return value + 0;
}

export function readBoolean(value: unknown): boolean {
  if (typeof value !== "boolean") malformed("expected a boolean");
  return value;
}

/** A string of at most `unitsMax` UTF-16 units. */
export function readString(value: unknown, unitsMax: number): string {
  if (typeof value !== "string") malformed("expected a string");
  if (value.length > unitsMax) malformed(`more than ${unitsMax} characters`);
  return value;
}

export function readBytes(value: unknown, bytesMax: number): Uint8Array {
  if (!(value instanceof Uint8Array)) malformed("expected bytes");
  if (value.length > bytesMax) malformed(`more than ${bytesMax} bytes`);
  return value;
}

/** A path, unchecked but bounded. */
export function readPath(value: unknown): string {
  return readString(value, PATH_UNITS_MAX);
}

export function readZxid(value: unknown): Zxid {
  return zxid(readInteger(value));
}

export function readWriteSeq(value: unknown): WriteSeq {
  return writeSeq(readInteger(value, 1));
}

export function readSessionId(value: unknown): SessionId {
  return sessionId(readInteger(value, 1));
}

export function readToken(value: unknown): FencingToken {
  return fencingToken(readInteger(value));
}

/** A code; one that this build does not know, of a newer peer, is INTERNAL: not to be retried either. */
export function readErrorCode(value: unknown): ErrorCode {
  const text = readString(value, CODE_UNITS_MAX);
  return ERROR_CODES.find((code) => code === text) ?? "INTERNAL";
}

/** What no type lets happen: a value of no known kind to be encoded. */
export function unencodable(value: never): never {
  throw new ProtocolError("UNKNOWN_OPERATION", String(value));
}

/** The item of `values` that stands at the index on the wire. */
export function readChoice<T>(value: unknown, values: readonly T[]): T {
  const choice = values[readInteger(value)];
  return choice === undefined ? malformed("unknown choice") : choice;
}

/**
 * `text` with lone surrogates replaced. What leaves is always UTF-8, because decoders differ in what they make of
 * anything else and replicas must not.
 */
export function wellFormed(text: string): string {
  return ANY_SURROGATE.test(text) ? text.replace(LONE_SURROGATES, "\ufffd") : text;
}
