import { parentOf, type ErrorCode, type WriteOp } from "@quorate/kv-store/protocol";
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
  const reason = reasonOf(code, op);
  const text = `${kind} "${path}"${reason === null ? "" : `: ${reason}`}`;
  return new QuorateError(code, text, { path, opIndex, retryable });
}

/** The error of a read that the service refused. */
export function readFailure(code: ErrorCode, path: string | undefined): QuorateError {
  const retryable = isPassing(code);
  if (path === undefined) return new QuorateError(code, "the read was refused", { retryable });
  const text = code === "NO_NODE" ? `there is no "${path}"` : `"${path}"`;
  return new QuorateError(code, text, { path, retryable });
}

/** What of a call's options ended its waiting: the signal, or the timeout. */
export type AbandonCode = "ABORTED" | "TIMEOUT";

/** What an abandoned call was about. */
export interface AbandonedCall {
  readonly outcomeUnknown: boolean;
  /** The signal's reason, or what kept the call waiting. */
  readonly cause: unknown;
  readonly path?: string | undefined;
}

/** The error of a call that its signal or timeout ended. */
export function abandonment(code: AbandonCode, call: AbandonedCall): QuorateError {
  const { outcomeUnknown, cause, path } = call;
  const what = code === "ABORTED" ? "the call's signal aborted" : "the call's time is up";
  const where = path === undefined ? "" : `, "${path}"`;
  const why = cause instanceof QuorateError ? ` (${cause.message})` : "";
  const retryable = code === "TIMEOUT" && !outcomeUnknown;
  return new QuorateError(code, `${what}${where}${why}`, {
    outcomeUnknown,
    retryable,
    cause,
    ...(path !== undefined && { path }),
  });
}

/** The error every later or unanswered call of an ended session gets: the session's own end, seen from that call. */
export function endOf(end: QuorateError, outcomeUnknown: boolean): QuorateError {
  const text = end.message.slice(end.code.length + 2);
  return new QuorateError(end.code, text, { outcomeUnknown, cause: end.cause });
}

/** In words, where the code alone leaves open what it is about; null where it does not. */
function reasonOf(code: ErrorCode, op: WriteOp): string | null {
  switch (code) {
    case "NO_NODE":
      if (op.kind === "create") return `its parent "${parentOf(op.path)}" does not exist`;
      return op.kind === "release" ? "this session is not in line there" : "it does not exist";
    case "NODE_EXISTS":
      return "it exists already";
    case "BAD_VERSION":
      return "version" in op ? `its version is not ${op.version}` : null;
    case "NOT_EMPTY":
      return "it has children";
    case "NO_CHILDREN_FOR_EPHEMERALS":
      if (op.kind === "acquire") return "it, or the nearest znode above it, is ephemeral";
      return `its parent "${parentOf(op.path)}" is ephemeral`;
    case "FENCED":
      return "token" in op ? `the lock is not held with token ${op.token}` : null;
    case "LOCK_HELD":
      return "somebody else holds it";
    case "LOCK_DIRECTORY":
      if (op.kind === "acquire")
        return "it has children that are no contenders, or lies below a lock";
      return `its parent "${parentOf(op.path)}" is a lock, which holds nothing but its contenders`;
    case "TREE_FULL":
      return "the tree is as large as it may be; deletes make room";
    case "BAD_ARGUMENTS":
      return op.path === "/" ? "the root is always there" : null;
    default:
      return null;
  }
}
