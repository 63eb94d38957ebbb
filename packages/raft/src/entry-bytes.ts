import { unreachable } from "./assert.ts";
import type { Entry } from "./entry.ts";

/** What an entry costs beside its data: its share of the log's own structures. */
const entryOverheadBytes = 32;
/** What one member costs in a config entry. */
const memberBytes = 128;

/** Bytes of an entry for all limits on log, window and proposals: an estimate of what it holds in memory. */
export function entryBytes(entry: Entry): number {
  switch (entry.kind) {
    case "command":
      return entryOverheadBytes + entry.data.length;
    case "noop":
      return entryOverheadBytes;
    case "config":
      return entryOverheadBytes + memberBytes * entry.membership.members.length;
    default:
      return unreachable(entry);
  }
}

/** Bytes of a command of that length once it is an entry. */
export function commandBytes(length: number): number {
  return entryOverheadBytes + length;
}
