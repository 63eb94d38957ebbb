import { describeOperation } from "./explain.ts";
import { isWrite, type HistoryRecord, type OperationRecord } from "./history.ts";

/**
 * FIFO per session: the writes of one client take effect in the order in which it issued them, and a read shows every
 * write of its path issued before it. Returns the first pair that breaks it, in words, or null. Deletes carry no zxid
 * and are left out.
 */
export function findSessionDisorder(history: readonly HistoryRecord[]): string | null {
  const byClient = new Map<number, OperationRecord[]>();
  for (const record of history) {
    if (record.kind !== "operation" || record.outcome.kind !== "ok") continue;
    if (record.outcome.zxid === null) continue;
    const own = byClient.get(record.client);
    if (own === undefined) byClient.set(record.client, [record]);
    else own.push(record);
  }
  for (const own of byClient.values()) {
    own.sort((a, b) => a.sequence - b.sequence);
    const disorder = findDisorder(own);
    if (disorder !== null) return disorder;
  }
  return null;
}

function findDisorder(own: readonly OperationRecord[]): string | null {
  let lastWrite: OperationRecord | null = null;
  const lastByPath = new Map<string, OperationRecord>();
  for (const record of own) {
    const before = isWrite(record) ? lastWrite : (lastByPath.get(record.path) ?? null);
    if (before !== null) {
      const isBehind = isWrite(record)
        ? zxidOf(record) <= zxidOf(before)
        : zxidOf(record) < zxidOf(before);
      if (isBehind) {
        return `issued in this order, but the second stands before the first:\n  ${describeOperation(before)}\n  ${describeOperation(record)}`;
      }
    }
    if (isWrite(record)) lastWrite = record;
    lastByPath.set(record.path, record);
  }
  return null;
}

function zxidOf(record: OperationRecord): number {
  return record.outcome.kind === "ok" ? (record.outcome.zxid ?? 0) : 0;
}
