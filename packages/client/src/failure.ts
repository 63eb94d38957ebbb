import type { ErrorCode, WriteOp } from "@quorate/kv-store/protocol";
import { QuorateError } from "./errors.ts";

/** Refusals before the log that pass by themselves: the same request may be taken a moment later. */
export function isPassing(code: ErrorCode): boolean {
  return (
    code === "OVERLOADED" ||
    code === "NOT_READY" ||
    code === "DISK_FULL" ||
    code === "SHUTTING_DOWN"
  );
}

/** The error of a write that the service decided against; `opIndex` -1: none of its ops by itself. */
export function writeFailure(
  code: ErrorCode,
  ops: readonly WriteOp[],
  opIndex: number,
): QuorateError {
  const op = ops[opIndex] ?? (ops.length === 1 ? ops[0] : undefined);
  const retryable = isPassing(code);
  if (op === undefined) return new QuorateError(code, "the write was refused", { retryable });
  const { kind, path } = op;
  return new QuorateError(code, `${kind} "${path}"`, { path, opIndex, retryable });
}

/** The error of a read that the service refused. */
export function readFailure(code: ErrorCode, path: string | undefined): QuorateError {
  const retryable = isPassing(code);
  if (path === undefined) return new QuorateError(code, "the read was refused", { retryable });
  return new QuorateError(code, `"${path}"`, { path, retryable });
}

/** The error of a call that its signal or timeout ended. */
export function abandonment(
  code: "ABORTED" | "TIMEOUT",
  details: { readonly outcomeUnknown: boolean; readonly cause: unknown },
): QuorateError {
  const text = code === "ABORTED" ? "the call's signal aborted" : "the call's time is up";
  const { outcomeUnknown, cause } = details;
  const retryable = code === "TIMEOUT" && !outcomeUnknown;
  return new QuorateError(code, text, { outcomeUnknown, retryable, cause });
}

/** The error every later or unanswered call of an ended session gets: the session's own end, seen from that call. */
export function endOf(end: QuorateError, outcomeUnknown: boolean): QuorateError {
  const text = end.message.slice(end.code.length + 2);
  return new QuorateError(end.code, text, { outcomeUnknown, cause: end.cause });
}
