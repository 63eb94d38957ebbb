import { explainViolation } from "./explain.ts";
import { operationsByPath, type HistoryRecord, type OperationRecord } from "./history.ts";
import { linearize } from "./linearize.ts";
import { ABSENT, type RegisterState } from "./register-model.ts";

/** Verdict over a history. `unknown`: the step budget did not suffice for `path`. */
export type CheckResult =
  | { readonly kind: "ok"; readonly steps: number }
  | { readonly kind: "unknown"; readonly path: string; readonly steps: number }
  | {
      readonly kind: "violation";
      readonly path: string;
      /** The operation without whose answer everything could still be explained. */
      readonly culprit: OperationRecord;
      /** The few operations around it that matter. */
      readonly window: readonly OperationRecord[];
      /** The same for people. */
      readonly explanation: string;
    };

/** Settings of {@link checkHistory}. */
export interface CheckOptions {
  /** Content of a path before the history begins. Default: absent. */
  readonly initial?: (path: string) => RegisterState;
  /** Search steps allowed per path. Default 3,000,000. */
  readonly stepBudget?: number;
}

const DEFAULT_STEP_BUDGET = 3_000_000;

/**
 * Is there, for every path, an order of its operations that respects real time and that a single register explains?
 * Paths are independent objects, so checking each alone checks all (Herlihy and Wing 1990, locality).
 */
export function checkHistory(
  history: readonly HistoryRecord[],
  options: CheckOptions = {},
): CheckResult {
  const budget = options.stepBudget ?? DEFAULT_STEP_BUDGET;
  let steps = 0;
  let undecided: CheckResult | null = null;
  for (const [path, operations] of operationsByPath(history)) {
    const initial = options.initial?.(path) ?? ABSENT;
    const search = linearize(operations, initial, budget);
    steps += search.steps;
    if (search.verdict === "impossible") {
      return { kind: "violation", path, ...explainViolation(operations, initial, budget) };
    }
    if (search.verdict === "undecided") undecided = { kind: "unknown", path, steps: search.steps };
  }
  return undecided ?? { kind: "ok", steps };
}
