import type { Change } from "./apply-outcome.ts";
import { assert } from "./assert.ts";
import { parentOf, type WatchEvent, type WatchMode } from "./protocol/index.ts";

/** What a watch waits for. */
export interface WatchSpec {
  readonly watchId: number;
  readonly path: string;
  readonly mode: WatchMode;
  /** Whether events shall carry data and stat. */
  readonly withData: boolean;
}

/** What a watch takes in memory beside its path, with what refers to it. Measured. */
const WATCH_BYTES = 640;

/** Memory that a watch takes, bytes, about. */
export function watchBytes({ path }: WatchSpec): number {
  return WATCH_BYTES + 2 * path.length;
}

/**
 * The event that `watch` gets of `change`, or null; never more than one. A persistent watch gets the znode's own changes,
 * and childrenChanged when a direct child comes or goes; a recursive one the own changes of the znode and everything
 * below. ZooKeeper Programmer's Guide, "Watches". Resuming from the change log uses this.
 */
export function matchOne(watch: WatchSpec, change: Change): WatchEvent | null {
  if (watch.path === change.path) return ownEvent(change, watch.withData);
  if (watch.mode === "recursive") {
    return isBelow(change.path, watch.path) ? ownEvent(change, watch.withData) : null;
  }
  if (change.kind === "dataChanged" || parentOf(change.path) !== watch.path) return null;
  return parentEvent(change, watch.path);
}

/** The changed znode's own event. A deleted one has neither data nor stat. */
export function ownEvent(change: Change, withData: boolean): WatchEvent {
  const { zxid, kind, path, data, stat } = change;
  assert((change.before === null) === (kind === "created"), "only_births_have_no_before");
  return withData && kind !== "deleted" ? { zxid, kind, path, data, stat } : { zxid, kind, path };
}

/** The event of the parent of a znode that came or went. */
export function parentEvent(change: Change, parent: string): WatchEvent {
  assert(change.kind !== "dataChanged", "parents_hear_of_coming_and_going");
  assert(change.path.length > parent.length, "children_have_longer_paths");
  return { zxid: change.zxid, kind: "childrenChanged", path: parent };
}

function isBelow(path: string, above: string): boolean {
  if (above === "/") return true;
  return path.length > above.length && path.startsWith(above) && path[above.length] === "/";
}
