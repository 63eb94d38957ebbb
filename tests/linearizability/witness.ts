import { describeOperation } from "./explain.ts";
import { isWrite, operationsByPath, type HistoryRecord, type OperationRecord } from "./history.ts";
import { ABSENT, stepRegister, type RegisterState } from "./register-model.ts";

/**
 * `unknown`: some answer names no zxid, or so many writes of unknown outcome may stand before one that not all of their
 * orders can be tried; then this oracle has nothing to say of its path.
 */
export type WitnessResult =
  | { readonly kind: "ok"; readonly checked: number }
  | { readonly kind: "unknown"; readonly path: string }
  | { readonly kind: "violation"; readonly path: string; readonly explanation: string };

/**
 * Takes the zxids of the answers as the order and checks that it explains them and respects real time. A pass is a
 * proof, even when the zxids were wrong: some valid order was found. A failure is an anomaly or a wrong zxid. Linear
 * after sorting, so it has no trouble with any amount of concurrency.
 */
export function checkWitness(
  history: readonly HistoryRecord[],
  initial: (path: string) => RegisterState = () => ABSENT,
): WitnessResult {
  let checked = 0;
  for (const [path, operations] of operationsByPath(history)) {
    const answered = operations.filter((record) => record.outcome.kind === "ok");
    if (answered.some((record) => zxidOf(record) === null)) return { kind: "unknown", path };
    let explanation: string | null;
    try {
      explanation = replayInZxidOrder(operations, answered, initial(path));
    } catch (error) {
      if (error instanceof TooManyOrders) return { kind: "unknown", path };
      throw error;
    }
    explanation ??= findRealTimeInversion(answered);
    if (explanation !== null) return { kind: "violation", path, explanation };
    checked += answered.length;
  }
  return { kind: "ok", checked };
}

/** Steps that closing the gaps of one path may take. */
const GAP_STEPS_MAX = 200_000;

/** More orders of unknown writes than can be tried. */
class TooManyOrders extends Error {}

function zxidOf(record: OperationRecord): number | null {
  return record.outcome.kind === "ok" ? record.outcome.zxid : null;
}

function orderOf(record: OperationRecord): number {
  return zxidOf(record) ?? 0;
}

/** Within one zxid the write stands before the reads of it. */
function inZxidOrder(a: OperationRecord, b: OperationRecord): number {
  return orderOf(a) - orderOf(b) || Number(isWrite(b)) - Number(isWrite(a));
}

function replayInZxidOrder(
  operations: readonly OperationRecord[],
  answered: readonly OperationRecord[],
  initial: RegisterState,
): string | null {
  const unplaced = operations.filter(
    (record) => isWrite(record) && record.outcome.kind === "unknown",
  );
  const budget = { steps: GAP_STEPS_MAX };
  let state = initial;
  let lastWrite: OperationRecord | null = null;
  for (const record of answered.toSorted(inZxidOrder)) {
    if (isWrite(record) && lastWrite !== null && orderOf(lastWrite) === orderOf(record)) {
      return `two writes share a zxid:\n  ${describeOperation(lastWrite)}\n  ${describeOperation(record)}`;
    }
    const after = stepWithUnknown(state, record, unplaced, budget);
    if (after === null) {
      return `in zxid order this answer is wrong, the register stood at version ${state.version}:\n  ${describeOperation(record)}`;
    }
    state = after;
    if (isWrite(record)) lastWrite = record;
  }
  return null;
}

/** Tries the answer as it is, then after unknown writes that would close the gap of versions before it. */
function stepWithUnknown(
  state: RegisterState,
  record: OperationRecord,
  unplaced: OperationRecord[],
  budget: { steps: number },
): RegisterState | null {
  budget.steps -= 1;
  if (budget.steps < 0) throw new TooManyOrders();
  const direct = stepRegister(state, record);
  if (direct !== null) return direct;
  const candidates = unplaced.filter((unknown) => unknown.invokedMs <= record.returnedMs);
  for (const unknown of candidates) {
    const between = stepRegister(state, unknown);
    if (between === null || between === state) continue;
    const rest = unplaced.filter((other) => other !== unknown);
    const after = stepWithUnknown(between, record, rest, budget);
    if (after === null) continue;
    unplaced.splice(0, unplaced.length, ...rest);
    return after;
  }
  return null;
}

/** An operation that began after another had ended must not stand before it. */
function findRealTimeInversion(answered: readonly OperationRecord[]): string | null {
  const byReturn = answered.toSorted((a, b) => a.returnedMs - b.returnedMs);
  let ended = 0;
  let newest: OperationRecord | null = null;
  for (const record of answered.toSorted((a, b) => a.invokedMs - b.invokedMs)) {
    for (; ended < byReturn.length; ended += 1) {
      const candidate = byReturn[ended];
      if (candidate === undefined || candidate.returnedMs >= record.invokedMs) break;
      if (newest === null || orderOf(candidate) > orderOf(newest)) newest = candidate;
    }
    if (newest === null) continue;
    const isBehind = isWrite(record)
      ? orderOf(record) <= orderOf(newest)
      : orderOf(record) < orderOf(newest);
    if (isBehind) {
      return `the second began after the first had ended, but stands before it:\n  ${describeOperation(newest)}\n  ${describeOperation(record)}`;
    }
  }
  return null;
}
