import type { QuorateErrorCode } from "./api.ts";

/** The one error class of this package. Branch on `code`, never on the text. */
export class QuorateError extends Error {
  override readonly name = "QuorateError";
  readonly code: QuorateErrorCode;
  /** Path concerned, where there is one. */
  readonly path: string | undefined;
  /** For a failed `multi`: index of the op that failed; -1 where none did by itself. */
  readonly opIndex: number;
  /** True: the same call may succeed later without any other change. */
  readonly retryable: boolean;
  /** True: it is not known whether the write took effect (only ABORTED, TIMEOUT, CLOSED, SESSION_EXPIRED). */
  readonly outcomeUnknown: boolean;

  constructor(
    code: QuorateErrorCode,
    message: string,
    details: {
      readonly path?: string;
      readonly opIndex?: number;
      readonly retryable?: boolean;
      readonly outcomeUnknown?: boolean;
      readonly cause?: unknown;
    } = {},
  ) {
    super(
      `${code}: ${message}`,
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.code = code;
    this.path = details.path;
    this.opIndex = details.opIndex ?? -1;
    this.retryable = details.retryable ?? false;
    this.outcomeUnknown = details.outcomeUnknown ?? false;
  }
}
