export { connect } from "./connect.ts";
export { QuorateError } from "./errors.ts";
export type * from "./api.ts";
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
