export type { ApplyOutcome, ApplyResult, Change, Grant } from "./apply-outcome.ts";
export { InvariantError } from "./assert.ts";
export type { ChangesSince } from "./change-log.ts";
export type { Checkpoint, ImageRecord } from "./checkpoint.ts";
export type { AttachInfo, Command, CommandStamp } from "./command.ts";
export {
  COMMAND_VERSION,
  CommandError,
  decodeCommand,
  encodeCommand,
  isKnownCommand,
  isWriteCommand,
  stampCommand,
  type StampedCommand,
} from "./command-codec.ts";
export { DataTree } from "./data-tree.ts";
export { ImageCheck } from "./image-check.ts";
export { ImageError, type ImageErrorCode } from "./image-error.ts";
export { TREE_LIMITS, type TreeLimits } from "./limits.ts";
export type { SessionView } from "./session-view.ts";
export { TreeLoader } from "./tree-loader.ts";
export { matchOne, watchBytes, type WatchSpec } from "./watch-match.ts";
export { WatchTable, type WatchHit } from "./watch-table.ts";
