import type { QuorateErrorCode } from "@quorate/client";
import { EXIT_CODES, type ExitCode } from "./exit-code.ts";

/** Reasons for failure that arise in the command line itself, beside those of the SDK. */
export type CliErrorCode =
  | QuorateErrorCode
  /** The command line is wrong. */
  | "USAGE"
  /** None of the servers answers. */
  | "NO_SERVER"
  /** Servers answer, none leads. */
  | "NO_LEADER"
  /** The ensemble serves, but a server of the list does not answer. */
  | "SERVER_SILENT"
  /** A port that a node is to listen on belongs to another program. */
  | "ADDRESS_IN_USE"
  /** What is on disk, or in a backup, is damaged. */
  | "DAMAGED"
  /** What is on disk cannot be read here: no permission, a file system that takes no writes. */
  | "UNREADABLE"
  /** No member has the name, or one has it already. */
  | "MEMBER_UNKNOWN"
  | "MEMBER_EXISTS"
  /** After the change the voters that answer could decide nothing. */
  | "QUORUM_AT_RISK"
  /** Another change of the membership is under way. */
  | "CHANGE_PENDING"
  /** Leadership stayed where it was. */
  | "TRANSFER_FAILED"
  /** Leader and command line do not understand each other. */
  | "REQUEST_INVALID"
  /** A core that is replayed does something else than was recorded. */
  | "TRACE_DIVERGED"
  /** A core that is replayed breaks what must always hold. */
  | "INVARIANT_BROKEN"
  /** No server gave a backup, or it broke off. */
  | "NO_BACKUP"
  /** The command to run under a lock was not found. */
  | "COMMAND_NOT_FOUND"
  /** The command to run under a lock was found and could not be started. */
  | "COMMAND_NOT_STARTED";

/** Ends a command: why, in a word and in a sentence, what to do next, and the exit code. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly code: CliErrorCode;
  readonly exitCode: ExitCode;
  /** What to do next. */
  readonly hint: string;

  constructor(
    code: CliErrorCode,
    message: string,
    options: {
      readonly exitCode: ExitCode;
      readonly hint: string;
      readonly cause?: unknown;
    },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.exitCode = options.exitCode;
    this.hint = options.hint;
  }
}

/** A wrong command line. */
export function usageError(message: string, hint: string): CliError {
  return new CliError("USAGE", message, { exitCode: EXIT_CODES.usage, hint });
}
