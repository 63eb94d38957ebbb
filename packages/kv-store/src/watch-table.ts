import type { Change } from "./apply-outcome.ts";
import { assert } from "./assert.ts";
import { PathMap } from "./path-map.ts";
import { reached } from "./points.ts";
import { parentOf, type WatchEvent } from "./protocol/index.ts";
import { ownEvent, parentEvent, watchBytes, type WatchSpec } from "./watch-match.ts";

/** One event for the watches of one owner that it concerns. `data` is there if any of them asked for it. */
export interface WatchHit {
  readonly watchIds: readonly number[];
  readonly event: WatchEvent;
}

interface Registration<Owner> {
  readonly owner: Owner;
  readonly watch: WatchSpec;
  /** Where it stands among those of its path. */
  index: number;
}

/** One event on its way to all who wait for it: built once bare and once with data, however many they are. */
class Delivery {
  readonly #change: Change;
  /** Null: the changed znode's own event. */
  readonly #parent: string | null;
  #bare: WatchEvent | null = null;
  #full: WatchEvent | null = null;

  constructor(change: Change, parent: string | null) {
    this.#change = change;
    this.#parent = parent;
  }

  event(withData: boolean): WatchEvent {
    if (this.#parent !== null) return (this.#bare ??= parentEvent(this.#change, this.#parent));
    if (withData) return (this.#full ??= ownEvent(this.#change, true));
    return (this.#bare ??= ownEvent(this.#change, false));
  }
}

/** Watches of one path. Apart, so that a change below it meets only those that it concerns. */
interface PathWatches<Owner> {
  readonly persistent: Registration<Owner>[];
  readonly recursive: Registration<Owner>[];
}

interface PendingHit {
  readonly watchIds: number[];
  readonly delivery: Delivery;
  withData: boolean;
}

/**
 * Watches of one server, by owner: a session or a connection. Matching costs one look-up for each ancestor of a change
 * and one step for each watch it concerns, and nothing where there are no watches.
 */
export class WatchTable<Owner> {
  readonly #byPath = new PathMap<PathWatches<Owner>>();
  readonly #byOwner = new Map<Owner, Map<number, Registration<Owner>>>();
  #count = 0;
  #bytes = 0;
  #recursiveCount = 0;

  /** Watches of all owners. */
  get count(): number {
    return this.#count;
  }

  /** Memory that they take, about: see {@link watchBytes}. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Watches of one owner. */
  ownerCount(owner: Owner): number {
    return this.#byOwner.get(owner)?.size ?? 0;
  }

  has(owner: Owner, watchId: number): boolean {
    return this.#byOwner.get(owner)?.has(watchId) ?? false;
  }

  /** False, and nothing changes, if the owner has a watch of this id. */
  add(owner: Owner, watch: WatchSpec): boolean {
    let own = this.#byOwner.get(owner);
    if (own === undefined) {
      own = new Map();
      this.#byOwner.set(owner, own);
    }
    if (own.has(watch.watchId)) {
      reached("watch_registered_twice");
      return false;
    }
    const there = this.#at(watch.path)[watch.mode];
    const registration = { owner, watch, index: there.length };
    there.push(registration);
    own.set(watch.watchId, registration);
    assert(there[registration.index] === registration, "registration_where_it_says");
    this.#count += 1;
    this.#bytes += watchBytes(watch);
    if (watch.mode === "recursive") this.#recursiveCount += 1;
    assert(this.#recursiveCount <= this.#count, "watches_counted");
    return true;
  }

  /** False if there is none. */
  remove(owner: Owner, watchId: number): boolean {
    const own = this.#byOwner.get(owner);
    const registration = own?.get(watchId);
    if (own === undefined || registration === undefined) return false;
    own.delete(watchId);
    if (own.size === 0) this.#byOwner.delete(owner);
    this.#unlist(registration);
    assert(!this.has(owner, watchId), "removed_watch_is_gone");
    return true;
  }

  /** Number of watches removed. */
  dropOwner(owner: Owner): number {
    const own = this.#byOwner.get(owner);
    if (own === undefined) return 0;
    this.#byOwner.delete(owner);
    for (const registration of own.values()) this.#unlist(registration);
    assert(this.#byOwner.size > 0 || this.#count === 0, "watches_counted");
    return own.size;
  }

  /**
   * Watches that these changes concern, each counted for every change: what {@link match} will take for each of them. Costs
   * look-ups alone.
   */
  countHits(changes: readonly Change[]): number {
    if (this.#count === 0) return 0;
    let hits = 0;
    for (const change of changes) {
      this.#visit(change, (watches) => {
        hits += watches.length;
      });
    }
    return hits;
  }

  /** Watches that these changes concern, each once, by owner. */
  concerned(changes: readonly Change[]): ReadonlyMap<Owner, readonly WatchSpec[]> {
    const lists = new Set<readonly Registration<Owner>[]>();
    for (const change of changes) this.#visit(change, (watches) => lists.add(watches));
    const found = new Map<Owner, WatchSpec[]>();
    for (const watches of lists) {
      for (const { owner, watch } of watches) {
        const own = found.get(owner);
        if (own === undefined) found.set(owner, [watch]);
        else own.push(watch);
      }
    }
    assert(found.size <= this.#byOwner.size, "only_owners_are_concerned");
    return found;
  }

  /** Per owner its events, in tree order, and one item for each event. */
  match(changes: readonly Change[]): ReadonlyMap<Owner, readonly WatchHit[]> {
    assert(changes[0]?.zxid === changes.at(-1)?.zxid, "one_revision_at_a_time");
    const pending = new Map<Owner, PendingHit[]>();
    if (this.#count > 0) {
      for (const change of changes) {
        const own = new Delivery(change, null);
        let above: Delivery | null = null;
        this.#visit(change, (watches, parent) => {
          const delivery = parent === null ? own : (above ??= new Delivery(change, parent));
          deliver(watches, delivery, pending);
        });
      }
    }
    const hits = new Map<Owner, readonly WatchHit[]>();
    for (const [owner, items] of pending) hits.set(owner, items.map(finishHit));
    assert(hits.size <= this.#byOwner.size, "only_owners_are_hit");
    return hits;
  }

  /** The lists of watches that a change concerns; with the parent that it is told of, or null for its own event. */
  #visit(
    { path: changed, kind }: Change,
    visit: (watches: readonly Registration<Owner>[], parent: string | null) => void,
  ): void {
    const there = this.#byPath.get(changed);
    if (there !== undefined) {
      visit(there.persistent, null);
      visit(there.recursive, null);
    }
    if (changed === "/") return;
    const parent = parentOf(changed);
    for (let path = parent; this.#recursiveCount > 0; path = parentOf(path)) {
      const above = this.#byPath.get(path);
      if (above !== undefined) visit(above.recursive, null);
      if (path === "/") break;
    }
    const around = kind === "dataChanged" ? undefined : this.#byPath.get(parent);
    if (around !== undefined) visit(around.persistent, parent);
  }

  #at(path: string): PathWatches<Owner> {
    let there = this.#byPath.get(path);
    if (there === undefined) {
      there = { persistent: [], recursive: [] };
      this.#byPath.set(path, there);
    }
    return there;
  }

  #unlist(registration: Registration<Owner>): void {
    const { path, mode } = registration.watch;
    const { persistent, recursive } = this.#at(path);
    const there = mode === "recursive" ? recursive : persistent;
    assert(there[registration.index] === registration, "registration_where_it_says");
    const last = there.pop();
    if (last !== undefined && last !== registration) {
      there[registration.index] = last;
      last.index = registration.index;
    }
    if (persistent.length + recursive.length === 0) this.#byPath.delete(path);
    this.#count -= 1;
    this.#bytes -= watchBytes(registration.watch);
    assert(this.#count > 0 || this.#bytes === 0, "bytes_belong_to_watches");
    if (mode === "recursive") this.#recursiveCount -= 1;
    assert(this.#recursiveCount >= 0 && this.#recursiveCount <= this.#count, "watches_counted");
  }
}

function deliver<Owner>(
  registrations: readonly Registration<Owner>[],
  delivery: Delivery,
  pending: Map<Owner, PendingHit[]>,
): void {
  for (const { owner, watch } of registrations) {
    const items = pending.get(owner);
    const last = items?.at(-1);
    if (last !== undefined && last.delivery === delivery) {
      last.watchIds.push(watch.watchId);
      last.withData ||= watch.withData;
      continue;
    }
    const item = { watchIds: [watch.watchId], delivery, withData: watch.withData };
    if (items === undefined) pending.set(owner, [item]);
    else items.push(item);
  }
}

function finishHit(item: PendingHit): WatchHit {
  assert(item.watchIds.length > 0, "hits_are_for_somebody");
  return { watchIds: item.watchIds, event: item.delivery.event(item.withData) };
}
