import type { Change } from "./apply-outcome.ts";
import type { WatchEvent, WatchMode } from "./protocol/index.ts";

/** What a watch waits for. */
export interface WatchSpec {
  readonly watchId: number;
  readonly path: string;
  readonly mode: WatchMode;
  readonly withData: boolean;
}

/** One event for the watches of one owner that it concerns. `data` is there if any of them asked for it. */
export interface WatchHit {
  readonly watchIds: readonly number[];
  readonly event: WatchEvent;
}

/** The event that `watch` gets of `change`, or null. What resuming from the change log uses. */
export declare function matchOne(watch: WatchSpec, change: Change): WatchEvent | null;

/** Watches of one server, by owner (a session or a connection). */
export declare class WatchTable<Owner> {
  get count(): number;
  /** False, and nothing changes, if the owner has a watch of this id. */
  add(owner: Owner, watch: WatchSpec): boolean;
  /** False if there is none. */
  remove(owner: Owner, watchId: number): boolean;
  /** Number of watches removed. */
  dropOwner(owner: Owner): number;
  ownerCount(owner: Owner): number;
  /** Per owner its events in tree order. */
  match(changes: readonly Change[]): ReadonlyMap<Owner, readonly WatchHit[]>;
}
