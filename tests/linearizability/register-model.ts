import type { OperationRecord } from "./history.ts";

/** A znode as far as the checker models it. An absent one has an empty value and version -1. */
export interface RegisterState {
  readonly exists: boolean;
  readonly value: string;
  readonly version: number;
}

/** No znode. */
export const ABSENT: RegisterState = { exists: false, value: "", version: -1 };

/** A znode with this content. */
export function present(value: string, version: number): RegisterState {
  return { exists: true, value, version };
}

/**
 * The state after `record` took its place in `state`, or null where its outcome is impossible there. An operation of
 * unknown outcome is possible everywhere: where its condition does not hold it leaves the state alone.
 */
export function stepRegister(state: RegisterState, record: OperationRecord): RegisterState | null {
  switch (record.outcome.kind) {
    case "ok":
      return stepSucceeded(state, record, record.outcome.observed);
    case "fail":
      return explainsFailure(state, record, record.outcome.code) ? state : null;
    case "unknown":
      return stepEffect(state, record) ?? state;
  }
}

/** Failures that say nothing of the register (refused before the log) and reads without an answer constrain nothing. */
export function constrains(record: OperationRecord): boolean {
  switch (record.outcome.kind) {
    case "ok":
      return true;
    case "fail":
      return OBSERVING_CODES.has(record.outcome.code);
    case "unknown":
      return record.operation.kind !== "get";
  }
}

const OBSERVING_CODES: ReadonlySet<string> = new Set(["NO_NODE", "NODE_EXISTS", "BAD_VERSION"]);

function stepSucceeded(
  state: RegisterState,
  record: OperationRecord,
  observed: { readonly value: string; readonly version: number } | null,
): RegisterState | null {
  const next = stepEffect(state, record);
  if (next === null) return null;
  if (observed === null) return next.exists ? null : next;
  if (!next.exists) return null;
  return next.value === observed.value && next.version === observed.version ? next : null;
}

/** Null where the operation's own condition does not hold. */
function stepEffect(state: RegisterState, record: OperationRecord): RegisterState | null {
  const operation = record.operation;
  switch (operation.kind) {
    case "get":
      return state;
    case "set":
      return state.exists ? present(operation.value, state.version + 1) : null;
    case "compareAndSet":
      return state.exists && state.version === operation.expectedVersion
        ? present(operation.value, state.version + 1)
        : null;
    case "create":
      return state.exists ? null : present(operation.value, 0);
    case "delete":
      return state.exists &&
        (operation.expectedVersion === null || operation.expectedVersion === state.version)
        ? ABSENT
        : null;
  }
}

function explainsFailure(state: RegisterState, record: OperationRecord, code: string): boolean {
  switch (code) {
    case "NO_NODE":
      return !state.exists;
    case "NODE_EXISTS":
      return state.exists;
    case "BAD_VERSION":
      return state.exists && state.version !== expectedVersion(record);
    default:
      return true;
  }
}

function expectedVersion(record: OperationRecord): number | null {
  const operation = record.operation;
  return operation.kind === "compareAndSet" || operation.kind === "delete"
    ? operation.expectedVersion
    : null;
}
