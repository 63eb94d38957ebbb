import type { Operation, OperationRecord, Outcome } from "./history.ts";

/** Who, from when, until when; ms. */
export type Span = readonly [client: number, fromMs: number, untilMs: number];

/** An answer with this content; its zxid is derived from the version unless given. */
export function saw(value: string, version: number, zxid: number = 100 + version): Outcome {
  return { kind: "ok", observed: { value, version }, zxid };
}

/** A read that found no znode, or a delete that went through. */
export const SAW_NOTHING: Outcome = { kind: "ok", observed: null, zxid: null };

/** A definite failure. */
export function failed(code: string): Outcome {
  return { kind: "fail", code };
}

/** No answer. */
export const UNKNOWN: Outcome = { kind: "unknown", code: "TIMEOUT" };

/** A read. */
export function get(span: Span, outcome: Outcome): OperationRecord {
  return record(span, { kind: "get" }, outcome);
}

/** A write that left `version` behind, or the outcome given. */
export function set(span: Span, value: string, outcome: Outcome | number): OperationRecord {
  return record(span, { kind: "set", value }, answered(value, outcome));
}

/** A write under the condition that the version is `expectedVersion`. */
export function compareAndSet(
  span: Span,
  expectedVersion: number,
  value: string,
  outcome: Outcome | number,
): OperationRecord {
  return record(span, { kind: "compareAndSet", value, expectedVersion }, answered(value, outcome));
}

/** A creation; on success at version 0. */
export function create(span: Span, value: string, outcome: Outcome | number): OperationRecord {
  return record(span, { kind: "create", value }, answered(value, outcome));
}

/** A deletion, of any version unless one is given. */
export function remove(
  span: Span,
  outcome: Outcome = SAW_NOTHING,
  expectedVersion: number | null = null,
): OperationRecord {
  return record(span, { kind: "delete", expectedVersion }, outcome);
}

/** The same operation on another path. */
export function at(path: string, operation: OperationRecord): OperationRecord {
  return { ...operation, path };
}

function answered(value: string, outcome: Outcome | number): Outcome {
  return typeof outcome === "number" ? saw(value, outcome) : outcome;
}

function record(span: Span, operation: Operation, outcome: Outcome): OperationRecord {
  const [client, invokedMs, untilMs] = span;
  const returnedMs = outcome.kind === "unknown" ? Infinity : untilMs;
  return {
    kind: "operation",
    client,
    sequence: invokedMs,
    path: "/r",
    operation,
    outcome,
    invokedMs,
    returnedMs,
  };
}
