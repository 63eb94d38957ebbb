import { ServerError, type ServerErrorCode } from "../../../packages/server/src/errors.ts";

/** Why a server's process ended by itself. ASKED: it was told to. UNKNOWN: of something that has no code. */
export type EndCode = ServerErrorCode | "ASKED" | "UNKNOWN";

/** `reason`: what it ended with; null where nothing went wrong. */
export function endCodeOf(reason: Error | null): EndCode {
  if (reason === null) return "ASKED";
  return reason instanceof ServerError ? reason.code : "UNKNOWN";
}

/** What a promise was rejected with. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
