import { describeOperation } from "./explain.ts";
import { isWrite, operationsByPath, type HistoryRecord, type OperationRecord } from "./history.ts";

/**
 * A conditional write that was refused with BAD_VERSION although the register had exactly the version that it asked for, from
 * before it was asked until after it was answered; of registers that nobody deletes. The order of revisions cannot tell, as a refusal has none. Null: there is
 * none, as far as answers of others tell.
 */
export function findSpuriousRefusal(history: readonly HistoryRecord[]): string | null {
  for (const operations of operationsByPath(history).values()) {
    const writes = new Map<number, OperationRecord>();
    for (const record of operations) {
      const { outcome } = record;
      if (!isWrite(record) || outcome.kind !== "ok" || outcome.observed === null) continue;
      writes.set(outcome.observed.version, record);
    }
    for (const refused of operations) {
      const { operation, outcome } = refused;
      if (operation.kind !== "compareAndSet" || outcome.kind !== "fail") continue;
      if (outcome.code !== "BAD_VERSION") continue;
      const before = writes.get(operation.expectedVersion);
      const after = writes.get(operation.expectedVersion + 1);
      if (before === undefined || after === undefined) continue;
      if (before.returnedMs >= refused.invokedMs || after.invokedMs <= refused.returnedMs) continue;
      const all = [before, refused, after].map((record) => `\n  ${describeOperation(record)}`);
      return `the version that was asked for was there all the time:${all.join("")}`;
    }
  }
  return null;
}
