import { isWrite, type HistoryRecord } from "../../linearizability/history.ts";
import { Violation } from "../violation.ts";
import type { Watched } from "./watch-work.ts";

/**
 * Every change between the first and the last one a watch told of was told once, unless the watch said that it may have
 * missed some there, and with the data that it left. What changed is known from all watches and all answers together.
 */
export function checkWatches(watched: readonly Watched[], history: readonly HistoryRecord[]): void {
  const changes = changesOf(watched, history);
  const contents = contentsOf(history);
  for (const record of watched) {
    const seen = new Set<string>();
    for (const { zxid, path, data } of record.events) {
      const key = `${zxid} ${path}`;
      const content = contents.get(key) ?? data;
      if (data !== null && data !== content) {
        const text = `session number ${record.number} heard ${data} of ${key}, which is ${content}`;
        throw new Violation("W data", text);
      }
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

/** What each revision of a register held, as far as answers told. */
function contentsOf(history: readonly HistoryRecord[]): ReadonlyMap<string, string> {
  const contents = new Map<string, string>();
  for (const record of history) {
    if (record.kind !== "operation" || record.outcome.kind !== "ok") continue;
    const { zxid, observed } = record.outcome;
    if (zxid !== null && observed !== null) contents.set(`${zxid} ${record.path}`, observed.value);
  }
  return contents;
}
