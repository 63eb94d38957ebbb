export { connect } from "./connect.ts";
export { QuorateError } from "./errors.ts";
export type * from "./api.ts";
/** For ids that an application has kept as plain numbers: each checks what it brands. */
export { fencingToken, sessionId, zxid } from "@quorate/kv-store/protocol";
export type {
  ClientClock,
  ClientPorts,
  ClientRandom,
  Dialer,
  Socket,
  SocketHandlers,
  Timer,
} from "./ports.ts";
export type {
  CreateMode,
  ErrorCode,
  EventKind,
  FencingToken,
  SessionId,
  SessionInfo,
  Stat,
  WatchEvent,
  WatchMode,
  WriteOp,
  WriteReply,
  Zxid,
} from "@quorate/kv-store/protocol";
