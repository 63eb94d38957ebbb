import { EXIT_CODES, type ExitCode } from "./exit-code.ts";

/** Ends a command: what went wrong, what to do next, and the exit code. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: ExitCode;
  /** What to do next; "" where there is nothing to say. */
  readonly hint: string;

  constructor(
    message: string,
    options: {
      readonly exitCode?: ExitCode;
      readonly hint?: string;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exitCode = options.exitCode ?? EXIT_CODES.failed;
    this.hint = options.hint ?? "";
  }
}

/** A wrong command line. */
export function usageError(message: string, hint = ""): CliError {
  return new CliError(message, { exitCode: EXIT_CODES.usage, hint });
}
