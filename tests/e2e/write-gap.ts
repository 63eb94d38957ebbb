import type { HistoryRecord } from "../linearizability/history.ts";

/** The longest time, ms, in which no write was acknowledged to anybody, between the first and the last that was. */
export function longestWriteGap(history: readonly HistoryRecord[]): number {
  const acknowledged = history.flatMap((record) =>
    record.kind === "operation" && record.operation.kind !== "get" && record.outcome.kind === "ok"
      ? [record.returnedMs]
      : [],
  );
  acknowledged.sort((a, b) => a - b);
  let longest = 0;
  for (const [at, ms] of acknowledged.entries()) {
    longest = Math.max(longest, ms - (acknowledged[at - 1] ?? ms));
  }
  return longest;
}
