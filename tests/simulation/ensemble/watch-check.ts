import { isWrite, type HistoryRecord } from "../../linearizability/history.ts";
import { Violation } from "../violation.ts";
import type { Watched } from "./watch-work.ts";

/**
 * Every change between the first and the last one a watch told of was told once, unless the watch said that it may have
 * missed some there. What changed is known from all watches and all acknowledged writes together.
 */
export function checkWatches(watched: readonly Watched[], history: readonly HistoryRecord[]): void {
  const changes = changesOf(watched, history);
  for (const record of watched) {
    const seen = new Set<string>();
    for (const { zxid, path } of record.events) {
      const key = `${zxid} ${path}`;
      if (seen.has(key))
        throw new Violation("W2 unique", `session number ${record.number}: ${key}`);
      seen.add(key);
    }
    const last = record.events.at(-1)?.zxid ?? 0;
    for (const { zxid, key } of changes) {
      if (zxid <= record.fromZxid || zxid > last || seen.has(key)) continue;
      const isToldMissing = record.gaps.some(
        ({ afterZxid, upToZxid }) => zxid > afterZxid && zxid <= upToZxid,
      );
      if (isToldMissing) continue;
      throw new Violation("W3 no gap", `session number ${record.number} never heard of ${key}`);
    }
  }
}

function changesOf(
  watched: readonly Watched[],
  history: readonly HistoryRecord[],
): readonly { readonly zxid: number; readonly key: string }[] {
  const changes = new Map<string, number>();
  for (const { events } of watched) {
    for (const { zxid, path } of events) changes.set(`${zxid} ${path}`, zxid);
  }
  for (const record of history) {
    if (record.kind !== "operation" || !isWrite(record)) continue;
    const { outcome, path } = record;
    if (outcome.kind === "ok" && outcome.zxid !== null) {
      changes.set(`${outcome.zxid} ${path}`, outcome.zxid);
    }
  }
  return [...changes].map(([key, zxid]) => ({ zxid, key }));
}
