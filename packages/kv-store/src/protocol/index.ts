export type * from "./ids.ts";
export { fencingToken, sessionId, writeSeq, zxid } from "./ids.ts";
export { ERROR_CODES, type ErrorCode, type Result } from "./error-code.ts";
export type { Stat } from "./stat.ts";
export {
  CREATE_MODES,
  isSequential,
  SEQUENCE_DIGITS,
  type CreateMode,
  type Query,
  type QueryReply,
  type SessionInfo,
  type WriteOp,
  type WriteOutcome,
  type WriteReply,
} from "./op.ts";
export {
  EVENT_KINDS,
  WATCH_MODES,
  type EventKind,
  type WatchEvent,
  type WatchMode,
} from "./event.ts";
export {
  checkPath,
  isReserved,
  joinPath,
  nameOf,
  parentOf,
  parsePath,
  RESERVED_ROOT,
} from "./path.ts";
export { PROTOCOL_VERSION } from "./version.ts";
export { PROTOCOL_LIMITS, type ProtocolLimits } from "./limits.ts";
export type { ClientMessage, Hello, ServerMessage } from "./frame.ts";
export { ProtocolError } from "./protocol-error.ts";
export {
  decodeClientFrame,
  decodeServerFrame,
  encodeClientFrame,
  encodeServerFrame,
} from "./codec.ts";
