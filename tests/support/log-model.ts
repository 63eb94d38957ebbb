import type { Entry, HardState, LogIndex, SnapshotMeta } from "@quorate/raft";
import { encodeEntries } from "../../packages/server/src/storage/entry-codec.ts";
import type { WriteAheadLog } from "../../packages/server/src/storage/write-ahead-log.ts";
import { hardState, readAll } from "./log-fixture.ts";

/** What a log is to hold, in the plainest form. */
export interface LogContent {
  readonly hardState: HardState;
  /** Entries by index. */
  readonly entries: ReadonlyMap<number, Entry>;
  readonly base: number;
  readonly last: number;
}

/** One thing that is done to a log. */
export type LogAction =
  | {
      readonly kind: "persist";
      readonly hardState: HardState;
      readonly snapshot: SnapshotMeta | null;
      readonly entries: readonly Entry[];
    }
  | { readonly kind: "compact"; readonly upTo: LogIndex };

export const EMPTY: LogContent = {
  hardState: hardState(0),
  entries: new Map(),
  base: 0,
  last: 0,
};

/** What the content is once the action is done. */
export function after(content: LogContent, action: LogAction): LogContent {
  if (action.kind === "compact") return content;
  const marker = action.snapshot?.index ?? null;
  const entries = marker === null ? new Map(content.entries) : new Map<number, Entry>();
  const base = marker ?? content.base;
  let last: number = marker ?? content.last;
  for (const entry of action.entries) {
    if (entry.index <= last)
      for (let at: number = entry.index; at <= last; at += 1) entries.delete(at);
    entries.set(entry.index, entry);
    last = entry.index;
  }
  return { hardState: action.hardState, entries, base, last };
}

export function perform(log: WriteAheadLog, action: LogAction): Promise<void> {
  if (action.kind === "compact") return log.compact(action.upTo);
  const { hardState: state, snapshot } = action;
  return log.persist({ hardState: state, snapshot }, encodeEntries(action.entries));
}

/** Null: the log holds this content, of which entries up to `compacted` may be gone. Otherwise what is wrong. */
export async function difference(
  log: WriteAheadLog,
  content: LogContent,
  compacted: number,
): Promise<string | null> {
  if (log.lastIndex !== content.last) return `last index ${log.lastIndex}, not ${content.last}`;
  if (JSON.stringify(log.hardState) !== JSON.stringify(content.hardState)) {
    return `hard state ${JSON.stringify(log.hardState)}`;
  }
  const floor = Math.max(content.base, compacted) + 1;
  if (log.firstIndex > floor) return `first index ${log.firstIndex}, beyond ${floor}`;
  const from = Math.max(log.firstIndex, content.base + 1);
  for (const entry of await readAll(log, from, 3_000)) {
    if (!same(entry, content.entries.get(entry.index))) return `another entry at ${entry.index}`;
  }
  return null;
}

function same(a: Entry, b: Entry | undefined): boolean {
  if (a.kind !== b?.kind || a.term !== b.term || a.index !== b.index) return false;
  if (a.kind !== "command" || b.kind !== "command") return true;
  return Buffer.compare(a.data, b.data) === 0;
}
