export { describeTraceEvent, traceEventKinds, type TraceEvent } from "@quorate/raft";
export { verifyBackup, type BackupSummary } from "./backup/verify-backup.ts";
export {
  createServerConfig,
  parseServerConfig,
  serverConfigHelp,
  type ServerConfig,
} from "./config.ts";
export { startEnsemble, type Ensemble, type EnsembleOptions } from "./ensemble.ts";
export { ServerError, type ServerErrorCode } from "./errors.ts";
export { verifyImage, type ImageSummary } from "./image/verify-image.ts";
export type { MemberCommand } from "./membership/member-command.ts";
export type { MemberPlan } from "./membership/member-plan.ts";
export type { Tolerance } from "./membership/tolerance.ts";
export type { NodeStatus } from "./observe/admin-http.ts";
export {
  SILENT_LOGGER,
  createMemoryLogger,
  createProcessLogger,
  type LogFields,
  type Logger,
} from "./observe/logger.ts";
export type { FoundedEnsemble } from "./recovery/found-ensemble.ts";
export {
  inspectNode,
  recoverNode,
  type NodeRemains,
  type RecoveryTarget,
} from "./recovery/recover-node.ts";
export { restoreBackup } from "./recovery/restore-backup.ts";
export type { ServerPorts } from "./ports.ts";
export { QuorateServer, type QuorateServerOptions } from "./quorate-server.ts";
export { SERVER_EXIT_CODES, exitCodeOf } from "./exit-codes.ts";
export { runServerProcess } from "./server-process.ts";
export { IDENTITY_FILE, IMAGE_PREFIX, LOG_DIRECTORY } from "./storage/data-directory.ts";
export { scanLog, type LogScanItem } from "./storage/log-scan.ts";
export { refuseUsed } from "./storage/make-data-directory.ts";
export { readIdentity } from "./storage/read-identity.ts";
export { systemPorts } from "./system/system-ports.ts";
export {
  replayTrace,
  type Divergence,
  type ReplayStep,
  type TraceSummary,
} from "./trace/replay-trace.ts";
export { SERVER_VERSION } from "./version.ts";
