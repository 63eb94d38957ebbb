import type { OperationRecord } from "./history.ts";
import { stepRegister, type RegisterState } from "./register-model.ts";

/**
 * The definition of linearizability, tried out literally: every subset of the unknown operations, every order, each
 * checked against real time afterwards. Only for a handful of operations; the reference for the real search.
 */
export function isLinearizableByBruteForce(
  operations: readonly OperationRecord[],
  initial: RegisterState,
): boolean {
  const definite = operations.filter((record) => record.outcome.kind !== "unknown");
  const unknown = operations.filter((record) => record.outcome.kind === "unknown");
  for (let subset = 0; subset < 1 << unknown.length; subset += 1) {
    const happened = unknown.filter((_, index) => (subset & (1 << index)) !== 0);
    for (const order of permutations([...definite, ...happened])) {
      if (respectsRealTime(order) && replays(order, initial)) return true;
    }
  }
  return false;
}

function respectsRealTime(order: readonly OperationRecord[]): boolean {
  return order.every((later, index) =>
    order.slice(0, index).every((earlier) => !(later.returnedMs < earlier.invokedMs)),
  );
}

function replays(order: readonly OperationRecord[], initial: RegisterState): boolean {
  let state: RegisterState | null = initial;
  for (const record of order) {
    state = stepRegister(state, record);
    if (state === null) return false;
  }
  return true;
}

function* permutations(items: readonly OperationRecord[]): Generator<readonly OperationRecord[]> {
  if (items.length === 0) {
    yield [];
    return;
  }
  for (const [index, first] of items.entries()) {
    const rest = [...items.slice(0, index), ...items.slice(index + 1)];
    for (const tail of permutations(rest)) yield [first, ...tail];
  }
}
