import { ServerError } from "../errors.ts";

/** What a failed call to the operating system is to the server: STORAGE_FULL or STORAGE_FAILED. */
export function fileError(operation: string, path: string, cause: unknown): ServerError {
  const code = systemCode(cause);
  const full = code === "ENOSPC" || code === "EDQUOT";
  const reason = code ?? (cause instanceof Error ? cause.message : "unknown reason");
  return new ServerError(
    full ? "STORAGE_FULL" : "STORAGE_FAILED",
    `${operation} ${path}: ${reason}`,
    cause,
  );
}

/** The process, or the machine, has as many files open as it may: nothing was done. */
export function isOutOfDescriptors(error: unknown): boolean {
  if (!(error instanceof ServerError)) return false;
  const code = systemCode(error.cause);
  return code === "EMFILE" || code === "ENFILE";
}

/** The medium did not do what it was asked to: of a read, that it does not give back what it was given. */
export function isMediumError(error: unknown): error is ServerError {
  return error instanceof ServerError && systemCode(error.cause) === "EIO";
}

function systemCode(cause: unknown): string | null {
  if (!(cause instanceof Error) || !("code" in cause)) return null;
  return typeof cause.code === "string" ? cause.code : null;
}
