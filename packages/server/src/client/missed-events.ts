import { watchBytes, type WatchHit, type WatchSpec } from "@quorate/kv-store";
import type { Zxid } from "@quorate/kv-store/protocol";
import { assert } from "../assert.ts";
import { reached } from "../points.ts";
import { WATCH_ID_BYTES, eventBytes, hitHeapBytes } from "./message-bytes.ts";

/** A watch that is to go on where it stood. */
export interface ResumingWatch {
  /** Of the request that is to be answered; null: it stood on this connection and fell behind. */
  readonly cxid: number | null;
  readonly watch: WatchSpec;
  /** Every change after it is to be told first. */
  readonly sinceZxid: Zxid | 0;
}

/** One event that watches have missed. */
interface Found extends WatchHit {
  /** Where it stands among all that was found. */
  readonly order: number;
  /** Watches that still want it. */
  wanting: number;
  /** Which ones, put together at the end only: until then they come and go. */
  watchIds: number[];
}

interface Entry extends ResumingWatch {
  /** In order. Kept by watch, so that to lose one costs no more than what was found for it. */
  found: Found[];
  /** Of them, as if nobody else wanted them. */
  bytes: number;
  isLost: boolean;
}

/**
 * Part of the bound that is kept where it is passed. The rest has to be found again before anything more is lost, which
 * pays for the search for the watches with most.
 */
const KEPT_PART = 7 / 8;
/** Events, each for every watch that wants it: so many are told in one turn. */
const WANTED_MAX = 131_072;
const NOBODY: readonly number[] = [];
const NONE_YET: number[] = [];

/**
 * What the resuming watches of one connection have missed, as it is found. Bounded: where there is more than the
 * connection has room for, the watches with the most events lose them, because sending it all would only end the
 * connection, and the next one in the same way.
 */
export class MissedEvents {
  readonly #watches = new Map<number, Entry>();
  /** Those for which anything is kept. */
  readonly #found = new Set<Entry>();
  #watchBytes = 0;
  #count = 0;
  /** Events that were found and not lost, each for every watch. */
  #wanted = 0;
  #bytes = 0;
  #heapBytes = 0;

  get count(): number {
    return this.#watches.size;
  }

  /** Memory that the watches themselves take, about. */
  get watchBytes(): number {
    return this.#watchBytes;
  }

  /** In the order in which they came. */
  get watches(): Iterable<ResumingWatch & { readonly isLost: boolean }> {
    return this.#watches.values();
  }

  /** Memory that what was found takes, about. */
  get heapBytes(): number {
    return this.#heapBytes;
  }

  /** Lowest revision that a watch which has not lost anything goes on from; null if there is none. */
  get sinceZxid(): Zxid | 0 | null {
    let lowest: Zxid | 0 | null = null;
    for (const { sinceZxid, isLost } of this.#watches.values()) {
      if (!isLost && (lowest === null || sinceZxid < lowest)) lowest = sinceZxid;
    }
    return lowest;
  }

  has(watchId: number): boolean {
    return this.#watches.has(watchId);
  }

  add(watch: ResumingWatch): void {
    assert(!this.has(watch.watch.watchId), "resuming_watch_ids_unique");
    this.#watches.set(watch.watch.watchId, { ...watch, found: [], bytes: 0, isLost: false });
    this.#watchBytes += watchBytes(watch.watch);
  }

  /** Takes over the watches that came after these, for which nothing has been looked for yet. */
  join(later: MissedEvents): void {
    for (const { cxid, watch, sinceZxid } of later.watches) this.add({ cxid, watch, sinceZxid });
  }

  /** Those that would go on from before `oldestZxid` lose their events. Who has lost them now. */
  loseBefore(oldestZxid: Zxid | 0): readonly number[] {
    const lost: number[] = [];
    for (const entry of this.#watches.values()) {
      if (entry.isLost || entry.sinceZxid >= oldestZxid) continue;
      this.#lose(entry);
      lost.push(entry.watch.watchId);
    }
    return lost;
  }

  /**
   * Takes in what comes later, within `bytesMax` in all; 0: whoever has missed anything loses it. Who has lost
   * events now.
   */
  note(hits: readonly WatchHit[], bytesMax: number): readonly number[] {
    for (const { watchIds, event } of hits) {
      const found: Found = { watchIds: NONE_YET, event, order: this.#count, wanting: 0 };
      const bytes = eventBytes(event);
      for (const id of watchIds) {
        const entry = this.#watches.get(id);
        if (entry === undefined || entry.isLost || event.zxid <= entry.sinceZxid) continue;
        found.wanting += 1;
        entry.found.push(found);
        entry.bytes += bytes + WATCH_ID_BYTES;
        this.#found.add(entry);
      }
      if (found.wanting === 0) continue;
      this.#count += 1;
      this.#wanted += found.wanting;
      this.#bytes += bytes + WATCH_ID_BYTES * found.wanting;
      this.#heapBytes += hitHeapBytes(found.wanting);
    }
    const isTooMuch = this.#bytes > bytesMax || this.#wanted > WANTED_MAX;
    return isTooMuch ? this.#loseHeaviest(bytesMax * KEPT_PART) : NOBODY;
  }

  /** Lets go of everything that was found: it will be looked for again. */
  forget(): void {
    for (const entry of this.#found) this.#empty(entry);
    assert(
      this.#bytes === 0 && this.#heapBytes === 0 && this.#wanted === 0,
      "bytes_belong_to_a_watch",
    );
  }

  /** What was found and not lost, by revision. Ask for it once, at the end. */
  revisions(): Iterable<readonly WatchHit[]> {
    const all: Found[] = [];
    for (const { watch, found } of this.#watches.values()) {
      for (const one of found) {
        if (one.watchIds === NONE_YET) {
          one.watchIds = [watch.watchId];
          all.push(one);
        } else {
          one.watchIds.push(watch.watchId);
        }
      }
    }
    return byRevision(all.sort((a, b) => a.order - b.order));
  }

  #loseHeaviest(bytesMax: number): readonly number[] {
    reached("missed_events_beyond_their_bound");
    const lost: number[] = [];
    for (const entry of [...this.#found].sort((a, b) => b.bytes - a.bytes)) {
      if (this.#bytes <= bytesMax && this.#wanted <= WANTED_MAX * KEPT_PART) break;
      this.#lose(entry);
      lost.push(entry.watch.watchId);
    }
    const isBounded = this.#bytes <= bytesMax && this.#wanted <= WANTED_MAX;
    assert(isBounded, "missed_events_bounded");
    return lost;
  }

  #lose(entry: Entry): void {
    entry.isLost = true;
    this.#empty(entry);
  }

  #empty(entry: Entry): void {
    this.#wanted -= entry.found.length;
    for (const found of entry.found) {
      this.#bytes -= WATCH_ID_BYTES;
      this.#heapBytes -= hitHeapBytes(found.wanting);
      found.wanting -= 1;
      if (found.wanting === 0) this.#bytes -= eventBytes(found.event);
      else this.#heapBytes += hitHeapBytes(found.wanting);
    }
    entry.found = [];
    entry.bytes = 0;
    this.#found.delete(entry);
  }
}

function* byRevision(found: readonly WatchHit[]): IterableIterator<readonly WatchHit[]> {
  let hits: WatchHit[] = [];
  for (const hit of found) {
    if (hits[0] !== undefined && hits[0].event.zxid !== hit.event.zxid) {
      yield hits;
      hits = [];
    }
    hits.push(hit);
  }
  if (hits.length > 0) yield hits;
}
