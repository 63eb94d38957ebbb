declare const brand: unique symbol;

/**
 * State-machine revision: the Raft index of the entry that made a change. Starts at 1, rises, may have gaps, never
 * rolls over (safe integer); 0 stands before every change.
 */
export type Zxid = number & { readonly [brand]: "Zxid" };
/** A client's lease: the zxid of the entry that opened it, so never reused within a history. */
export type SessionId = number & { readonly [brand]: "SessionId" };
/** Consecutive number of a session's writes, from 1. */
export type WriteSeq = number & { readonly [brand]: "WriteSeq" };
/** A path that passed `parsePath`. */
export type ZnodePath = string & { readonly [brand]: "ZnodePath" };
/** Rises with every grant of a lock or an election; the zxid of the holder's contender znode. */
export type FencingToken = number & { readonly [brand]: "FencingToken" };

/** Checks and brands a revision: a safe integer from 0. */
export function zxid(value: number): Zxid {
  if (!isZxid(value)) throw new RangeError(`no zxid: ${value}`);
  return value;
}

/** Checks and brands a session id: a safe integer from 1. */
export function sessionId(value: number): SessionId {
  if (!isSessionId(value)) throw new RangeError(`no session id: ${value}`);
  return value;
}

/** Checks and brands the number of a write: a safe integer from 1. */
export function writeSeq(value: number): WriteSeq {
  if (!isWriteSeq(value)) throw new RangeError(`no write number: ${value}`);
  return value;
}

/** Checks and brands a fencing token: a safe integer from 0. */
export function fencingToken(value: number): FencingToken {
  if (!isFencingToken(value)) throw new RangeError(`no fencing token: ${value}`);
  return value;
}

function isZxid(value: number): value is Zxid {
  return Number.isSafeInteger(value) && value >= 0;
}

function isSessionId(value: number): value is SessionId {
  return Number.isSafeInteger(value) && value >= 1;
}

function isWriteSeq(value: number): value is WriteSeq {
  return Number.isSafeInteger(value) && value >= 1;
}

function isFencingToken(value: number): value is FencingToken {
  return Number.isSafeInteger(value) && value >= 0;
}
