import { describeOperation } from "./explain.ts";
import { isWrite, operationsByPath, type HistoryRecord, type OperationRecord } from "./history.ts";
import { ABSENT, type RegisterState } from "./register-model.ts";
import { orderOf, replayInZxidOrder, zxidOf } from "./zxid-replay.ts";

/**
 * `unknown`: some answer names no zxid, or writes of unknown outcome can stand in more ways than are tried; then this
 * oracle has nothing to say of its path.
 */
export type WitnessResult =
  | { readonly kind: "ok"; readonly checked: number }
  | { readonly kind: "unknown"; readonly path: string }
  | { readonly kind: "violation"; readonly path: string; readonly explanation: string };

/**
 * Takes the zxids of the answers as the order and checks that it explains them and respects real time. A pass is a
 * proof, even when the zxids were wrong: some valid order was found. A failure is an anomaly or a wrong zxid. Linear
 * after sorting but for writes of unknown outcome, so it has no trouble with any amount of concurrency.
 */
export function checkWitness(
  history: readonly HistoryRecord[],
  initial: (path: string) => RegisterState = () => ABSENT,
): WitnessResult {
  let checked = 0;
  for (const [path, operations] of operationsByPath(history)) {
    const answered = operations.filter((record) => record.outcome.kind === "ok");
    if (answered.some((record) => zxidOf(record) === null)) return { kind: "unknown", path };
    const replay = replayInZxidOrder(operations, answered, initial(path));
    if (replay.kind === "undecided") return { kind: "unknown", path };
    const explanation =
      replay.kind === "wrong" ? replay.explanation : findRealTimeInversion(answered);
    if (explanation !== null) return { kind: "violation", path, explanation };
    checked += answered.length;
  }
  return { kind: "ok", checked };
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
