import { ServerError, type ServerErrorCode } from "./errors.ts";

/** Exit codes of a server process. Documented in docs/operations.md. */
export const SERVER_EXIT_CODES = {
  ok: 0,
  /** Anything without a code of its own. */
  failed: 1,
  /** The configuration or the command line is wrong. */
  usage: 2,
  /** A listener's address is taken or does not exist here. */
  address: 3,
  /** Log, image or identity are damaged, lost or of another node. */
  data: 4,
  /** The disk failed or is full. */
  storage: 5,
  /** The ensemble does not want this node: another identity has its name, or it was removed. */
  refused: 6,
  /** A broken invariant, or a state, or what is committed, that differs from the majority's. */
  invariant: 70,
} as const;

const EXIT_BY_CODE: Readonly<Record<ServerErrorCode, number>> = {
  CONFIG_INVALID: SERVER_EXIT_CODES.usage,
  CONFIG_UNKNOWN_KEY: SERVER_EXIT_CODES.usage,
  INSECURE_ADDRESS: SERVER_EXIT_CODES.usage,
  ADDRESS_IN_USE: SERVER_EXIT_CODES.address,
  ADDRESS_UNAVAILABLE: SERVER_EXIT_CODES.address,
  CONNECT_FAILED: SERVER_EXIT_CODES.failed,
  IDENTITY_LOST: SERVER_EXIT_CODES.data,
  NOTHING_STORED: SERVER_EXIT_CODES.usage,
  IDENTITY_DAMAGED: SERVER_EXIT_CODES.data,
  IDENTITY_MISMATCH: SERVER_EXIT_CODES.data,
  DIRECTORY_IN_USE: SERVER_EXIT_CODES.data,
  IDENTITY_REFUSED: SERVER_EXIT_CODES.refused,
  MEMBERSHIP_MISMATCH: SERVER_EXIT_CODES.refused,
  LIMITS_MISMATCH: SERVER_EXIT_CODES.refused,
  REMOVED: SERVER_EXIT_CODES.refused,
  REQUEST_INVALID: SERVER_EXIT_CODES.failed,
  NOT_LEADER: SERVER_EXIT_CODES.failed,
  MEMBER_UNKNOWN: SERVER_EXIT_CODES.failed,
  MEMBER_EXISTS: SERVER_EXIT_CODES.failed,
  QUORUM_AT_RISK: SERVER_EXIT_CODES.failed,
  CHANGE_PENDING: SERVER_EXIT_CODES.failed,
  TRANSFER_FAILED: SERVER_EXIT_CODES.failed,
  STORAGE_FAILED: SERVER_EXIT_CODES.storage,
  STORAGE_FULL: SERVER_EXIT_CODES.storage,
  STORAGE_LOCKED: SERVER_EXIT_CODES.storage,
  LOG_CORRUPT: SERVER_EXIT_CODES.data,
  IMAGE_CORRUPT: SERVER_EXIT_CODES.data,
  BACKUP_DAMAGED: SERVER_EXIT_CODES.data,
  FORMAT_UNKNOWN: SERVER_EXIT_CODES.data,
  TRACE_DAMAGED: SERVER_EXIT_CODES.data,
  NO_TRACE: SERVER_EXIT_CODES.data,
  PEER_PROTOCOL: SERVER_EXIT_CODES.failed,
  LOG_CONFLICT: SERVER_EXIT_CODES.invariant,
  DIGEST_MISMATCH: SERVER_EXIT_CODES.invariant,
  NOT_READY: SERVER_EXIT_CODES.failed,
  OVERLOADED: SERVER_EXIT_CODES.failed,
  STOPPED: SERVER_EXIT_CODES.failed,
  START_TIMEOUT: SERVER_EXIT_CODES.failed,
};

/** The exit code that says why a node ended. */
export function exitCodeOf(error: Error): number {
  if (error instanceof ServerError) return EXIT_BY_CODE[error.code];
  return error.name === "InvariantError" ? SERVER_EXIT_CODES.invariant : SERVER_EXIT_CODES.failed;
}
