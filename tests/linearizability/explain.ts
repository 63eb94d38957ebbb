import { isWrite, type OperationRecord } from "./history.ts";
import { linearize } from "./linearize.ts";
import type { RegisterState } from "./register-model.ts";

/** Why a history has no order: see `CheckResult`. */
export interface ViolationExplanation {
  readonly culprit: OperationRecord;
  readonly window: readonly OperationRecord[];
  readonly explanation: string;
}

const WINDOW_BEFORE = 8;

/**
 * Narrows an impossible history down. First to its shortest impossible prefix in real time (every prefix of a possible
 * history is possible): the last answer in it is the culprit. Then every read and failure is left out that the
 * contradiction does not need; leaving out an observation never makes a possible history impossible.
 */
export function explainViolation(
  operations: readonly OperationRecord[],
  initial: RegisterState,
  stepBudget: number,
): ViolationExplanation {
  const impossible = (candidate: readonly OperationRecord[]): boolean =>
    linearize(candidate, initial, stepBudget).verdict === "impossible";
  const { prefix, culprit } = shortestImpossiblePrefix(operations, impossible);
  const needed = withoutNeedlessObservers(prefix, culprit, impossible);
  const window = windowAround(needed, culprit);
  const best = linearize(
    prefix.filter((record) => record !== culprit),
    initial,
    stepBudget,
  );
  return { culprit, window, explanation: describe(culprit, window, best.deepestState) };
}

function shortestImpossiblePrefix(
  operations: readonly OperationRecord[],
  impossible: (candidate: readonly OperationRecord[]) => boolean,
): { readonly prefix: readonly OperationRecord[]; readonly culprit: OperationRecord } {
  const answered = operations.filter((record) => record.outcome.kind !== "unknown");
  answered.sort((a, b) => a.returnedMs - b.returnedMs);
  let low = 0;
  let high = answered.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (impossible(prefixUntil(operations, answered.slice(0, middle + 1)))) high = middle;
    else low = middle + 1;
  }
  const culprit = answered[low];
  if (culprit === undefined) throw new Error("an impossible history has an answered operation");
  return { prefix: prefixUntil(operations, answered.slice(0, low + 1)), culprit };
}

/** What was known when the last of `answered` came back: everything else called by then is still open. */
function prefixUntil(
  operations: readonly OperationRecord[],
  answered: readonly OperationRecord[],
): readonly OperationRecord[] {
  const known = new Set(answered);
  const nowMs = answered.at(-1)?.returnedMs ?? -Infinity;
  return operations.flatMap((record) => {
    if (known.has(record)) return [record];
    if (record.invokedMs > nowMs) return [];
    return [{ ...record, outcome: { kind: "unknown", code: "OPEN" }, returnedMs: Infinity }];
  });
}

function withoutNeedlessObservers(
  prefix: readonly OperationRecord[],
  culprit: OperationRecord,
  impossible: (candidate: readonly OperationRecord[]) => boolean,
): readonly OperationRecord[] {
  let needed = prefix;
  const isObserver = (record: OperationRecord): boolean =>
    record !== culprit && (!isWrite(record) || record.outcome.kind === "fail");
  let chunk = needed.filter(isObserver).length;
  while (chunk >= 1) {
    let observers = needed.filter(isObserver);
    for (let start = 0; start < observers.length; start += chunk) {
      const dropped = new Set(observers.slice(start, start + chunk));
      const candidate = needed.filter((record) => !dropped.has(record));
      if (impossible(candidate)) needed = candidate;
    }
    observers = needed.filter(isObserver);
    chunk = Math.min(chunk >> 1, observers.length);
  }
  return needed;
}

function windowAround(
  needed: readonly OperationRecord[],
  culprit: OperationRecord,
): readonly OperationRecord[] {
  const isConcurrent = (record: OperationRecord): boolean =>
    record.invokedMs <= culprit.returnedMs && record.returnedMs >= culprit.invokedMs;
  const before = needed.filter((record) => !isConcurrent(record)).slice(-WINDOW_BEFORE);
  return [...before, ...needed.filter(isConcurrent)];
}

function describe(
  culprit: OperationRecord,
  window: readonly OperationRecord[],
  state: RegisterState,
): string {
  const content = state.exists
    ? `value ${JSON.stringify(state.value)} at version ${state.version}`
    : "no such znode";
  const lines = window.map(
    (record) => `  ${record === culprit ? ">" : " "} ${describeOperation(record)}`,
  );
  return [
    `${culprit.path}: no order explains the answer marked with >`,
    `without it an order exists that ends with ${content}`,
    ...lines,
  ].join("\n");
}

/** One operation on one line. */
export function describeOperation(record: OperationRecord): string {
  const operation = record.operation;
  const values = [
    "value" in operation ? JSON.stringify(operation.value) : null,
    "expectedVersion" in operation ? `if version ${operation.expectedVersion}` : null,
  ].filter((part) => part !== null);
  const times = `[${record.invokedMs.toFixed(1)}, ${record.returnedMs.toFixed(1)}]`;
  return `${times} client ${record.client} ${operation.kind} ${values.join(" ")} -> ${describeOutcome(record)}`;
}

function describeOutcome(record: OperationRecord): string {
  const outcome = record.outcome;
  if (outcome.kind !== "ok") return `${outcome.kind} ${outcome.code}`;
  const zxid = outcome.zxid === null ? "" : ` at zxid ${outcome.zxid}`;
  if (outcome.observed === null) return `ok, absent${zxid}`;
  return `ok, ${JSON.stringify(outcome.observed.value)} version ${outcome.observed.version}${zxid}`;
}
