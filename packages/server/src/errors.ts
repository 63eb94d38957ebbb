/** Closed set of reasons; the texts are shown to operators, tests check the codes. */
export type ServerErrorCode =
  // Configuration.
  | "CONFIG_INVALID"
  | "CONFIG_UNKNOWN_KEY"
  | "INSECURE_ADDRESS"
  // Network.
  | "ADDRESS_IN_USE"
  | "ADDRESS_UNAVAILABLE"
  | "CONNECT_FAILED"
  // Identity.
  | "IDENTITY_LOST"
  | "NOTHING_STORED"
  | "IDENTITY_DAMAGED"
  | "IDENTITY_MISMATCH"
  | "IDENTITY_REFUSED"
  | "DIRECTORY_IN_USE"
  | "MEMBERSHIP_MISMATCH"
  | "LIMITS_MISMATCH"
  | "REMOVED"
  // Changes of the membership.
  | "REQUEST_INVALID"
  | "NOT_LEADER"
  | "MEMBER_UNKNOWN"
  | "MEMBER_EXISTS"
  | "QUORUM_AT_RISK"
  | "CHANGE_PENDING"
  | "TRANSFER_FAILED"
  // Storage.
  | "STORAGE_FAILED"
  | "STORAGE_FULL"
  | "STORAGE_LOCKED"
  | "LOG_CORRUPT"
  | "LOG_CONFLICT"
  | "IMAGE_CORRUPT"
  | "BACKUP_DAMAGED"
  | "FORMAT_UNKNOWN"
  // Traces.
  | "TRACE_DAMAGED"
  | "NO_TRACE"
  // Peers.
  | "PEER_PROTOCOL"
  | "DIGEST_MISMATCH"
  // Life cycle.
  | "NOT_READY"
  | "OVERLOADED"
  | "STOPPED"
  | "START_TIMEOUT";

/** The one error class of this package. */
export class ServerError extends Error {
  override readonly name = "ServerError";
  readonly code: ServerErrorCode;

  constructor(code: ServerErrorCode, message: string, cause?: unknown) {
    super(`${code}: ${message}`, cause === undefined ? undefined : { cause });
    this.code = code;
  }

  /** The message without the code in front of it. */
  get text(): string {
    return this.message.slice(this.code.length + 2);
  }
}

/** Whatever was thrown, as an error. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** There was no room on the disk. */
export function isStorageFull(error: unknown): boolean {
  return error instanceof ServerError && error.code === "STORAGE_FULL";
}

/** What is stored is not what was written, or the medium does not give it back any more. */
export function isDamage(error: unknown): error is ServerError {
  if (!(error instanceof ServerError)) return false;
  const { code } = error;
  return code === "LOG_CORRUPT" || code === "IMAGE_CORRUPT" || code === "IDENTITY_DAMAGED";
}
