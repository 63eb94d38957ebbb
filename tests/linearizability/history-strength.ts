import { isWrite, operationsByPath, type HistoryRecord, type OperationRecord } from "./history.ts";

/** How much a history can prove: a checker passes an idle history too. */
export interface HistoryStrength {
  readonly operations: number;
  readonly writes: number;
  readonly paths: number;
  /** The lowest, over all paths, of the highest number of operations open at one moment. */
  readonly concurrencyMin: number;
  readonly unknown: number;
  /** Writes that were open when a fault was injected and ended with a definite outcome all the same. */
  readonly inDoubtResolved: number;
  /** Changes of (node, term) between leaders seen. */
  readonly leaderChanges: number;
}

/** Measures a history. */
export function measureHistory(history: readonly HistoryRecord[]): HistoryStrength {
  const operations = history.filter((record) => record.kind === "operation");
  const faultTimes = history.flatMap((record) => (record.kind === "fault" ? [record.atMs] : []));
  const byPath = operationsByPath(history);
  const peaks = [...byPath.values()].map(peakConcurrency);
  return {
    operations: operations.length,
    writes: operations.filter(isWrite).length,
    paths: byPath.size,
    concurrencyMin: peaks.length === 0 ? 0 : Math.min(...peaks),
    unknown: operations.filter((record) => record.outcome.kind === "unknown").length,
    inDoubtResolved: operations.filter((record) => wasInDoubt(record, faultTimes)).length,
    leaderChanges: countLeaderChanges(history),
  };
}

/** Names every figure of `strength` that stays below its minimum; empty when all are reached. */
export function missingStrength(
  strength: HistoryStrength,
  minimums: Partial<HistoryStrength>,
): readonly string[] {
  const missing: string[] = [];
  const actuals = new Map(Object.entries(strength));
  for (const [name, minimum] of Object.entries(minimums)) {
    const actual = actuals.get(name) ?? 0;
    if (actual < minimum) missing.push(`${name}: ${actual} of at least ${minimum}`);
  }
  return missing;
}

function wasInDoubt(record: OperationRecord, faultTimes: readonly number[]): boolean {
  if (!isWrite(record) || record.outcome.kind === "unknown") return false;
  return faultTimes.some((atMs) => record.invokedMs < atMs && atMs < record.returnedMs);
}

function countLeaderChanges(history: readonly HistoryRecord[]): number {
  const leaders = history.filter((record) => record.kind === "leader");
  leaders.sort((a, b) => a.atMs - b.atMs);
  let changes = 0;
  for (const [index, leader] of leaders.entries()) {
    const before = leaders[index - 1];
    if (before === undefined) continue;
    if (before.node !== leader.node || before.term !== leader.term) changes += 1;
  }
  return changes;
}

function peakConcurrency(operations: readonly OperationRecord[]): number {
  const edges = operations.flatMap((record) => [
    { atMs: record.invokedMs, change: 1 },
    { atMs: record.returnedMs, change: -1 },
  ]);
  edges.sort((a, b) => (a.atMs === b.atMs ? a.change - b.change : a.atMs < b.atMs ? -1 : 1));
  let open = 0;
  let peak = 0;
  for (const edge of edges) {
    open += edge.change;
    peak = Math.max(peak, open);
  }
  return peak;
}
