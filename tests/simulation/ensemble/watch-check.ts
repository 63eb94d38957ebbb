import { isWrite, toldBy, type HistoryRecord } from "../../linearizability/history.ts";
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
    checkKinds(record);
    const seen = new Set<string>();
    for (const event of record.events) {
      const key = `${event.zxid} ${event.path}`;
      checkData(record, event, contents.get(key) ?? event.data);
      checkFrom(record, event.zxid);
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

/** What was there is not created, what was not neither changed nor deleted, as far as the watch itself has told. */
function checkKinds({ number, events, gaps }: Watched): void {
  const isThere = new Map<string, boolean>();
  const ends = gaps.map(({ upToZxid }) => upToZxid).sort((a, b) => a - b);
  for (const { zxid, path, kind } of events) {
    if (ends.length > 0 && zxid > (ends[0] ?? 0)) {
      isThere.clear();
      while (ends.length > 0 && zxid > (ends[0] ?? 0)) ends.shift();
    }
    const before = isThere.get(path);
    if (before !== undefined && before === (kind === "created")) {
      const text = `session number ${number} heard at ${zxid} that ${path} was ${kind}, which ${before ? "was there" : "was gone"}`;
      throw new Violation("W5 kinds", text);
    }
    isThere.set(path, kind !== "deleted");
  }
}

/** Whoever asked for data gets them with all but deletions, and those of the revision. */
function checkData(
  { number, withData }: Watched,
  event: Watched["events"][number],
  is: string | null,
): void {
  const { zxid, path, data, kind } = event;
  if (withData && data === null && kind !== "deleted") {
    throw new Violation("W data", `session number ${number} heard nothing but of ${zxid} ${path}`);
  }
  if (data === null || data === is) return;
  const text = `session number ${number} heard ${data} of ${zxid} ${path}, which is ${is}`;
  throw new Violation("W data", text);
}

/** Nothing from before where a watch was to begin is told, unless it said that it begins further back. */
function checkFrom({ number, fromZxid, isResumed, gaps }: Watched, zxid: number): void {
  if (!isResumed || zxid > fromZxid || gaps.some(({ upToZxid }) => upToZxid < zxid)) return;
  const text = `session number ${number} heard of ${zxid}, it asked from ${fromZxid} on`;
  throw new Violation("W1 order", text);
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
    const told = toldBy(record);
    if (told !== null) contents.set(`${told.zxid} ${told.path}`, told.value);
  }
  return contents;
}
