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
  const code = systemCodeOf(error);
  return code === "EMFILE" || code === "ENFILE";
}

/** Where a directory was to be, or on the way there, is something else. */
export function isInTheWay(error: unknown): boolean {
  return systemCodeOf(error) === "ENOTDIR";
}

/** The medium did not do what it was asked to: of a read, that it does not give back what it was given. */
export function isMediumError(error: unknown): error is ServerError {
  return systemCodeOf(error) === "EIO";
}

function systemCodeOf(error: unknown): string | null {
  return error instanceof ServerError ? systemCode(error.cause) : null;
}

function systemCode(cause: unknown): string | null {
  if (!(cause instanceof Error) || !("code" in cause)) return null;
  return typeof cause.code === "string" ? cause.code : null;
}
