/**
 * Every reason for which the service refuses something. The texts are part of the protocol; new ones may be added, so
 * clients must treat an unknown code as not retryable.
 */
export const ERROR_CODES = [
  // Outcomes of operations, decided by the replicated state: the write took its place in the log and changed nothing.
  "NO_NODE",
  "NODE_EXISTS",
  "BAD_VERSION",
  "NOT_EMPTY",
  "NO_CHILDREN_FOR_EPHEMERALS",
  "BAD_PATH",
  "BAD_ARGUMENTS",
  "RESERVED_PATH",
  "FENCED",
  "LOCK_HELD",
  "LOCK_DIRECTORY",
  "SEQUENCE_EXHAUSTED",
  "TREE_FULL",
  "TOO_LARGE",
  // Fate of a session.
  "SESSION_EXPIRED",
  "SESSION_MOVED",
  // Refusals before the log: nothing happened, the client may try again (the first three after a pause).
  "OVERLOADED",
  "NOT_READY",
  "DISK_FULL",
  "SHUTTING_DOWN",
  // The peer broke the protocol or its limits; the connection closes.
  "PROTOCOL_ERROR",
  "UNSUPPORTED_VERSION",
  // This server serves clients at another port.
  "WRONG_PORT",
  "UNKNOWN_OPERATION",
  "FRAME_TOO_LARGE",
  "SLOW_CONSUMER",
  "HISTORY_CHANGED",
  "INTERNAL",
] as const;

/** One of {@link ERROR_CODES}. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** An expected outcome as a value: nothing is thrown for what a caller can cause. */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: ErrorCode; readonly message?: string };
