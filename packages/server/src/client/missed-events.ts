import type { WatchHit, WatchSpec } from "@quorate/kv-store";
import type { Zxid } from "@quorate/kv-store/protocol";
import { assert } from "../assert.ts";
import { reached } from "../points.ts";
import { hitBytes } from "./message-bytes.ts";

/** A watch that is to go on where it stood on an earlier connection. */
export interface ResumingWatch {
  readonly cxid: number;
  readonly watch: WatchSpec;
  /** Every change after it is to be told first. */
  readonly sinceZxid: Zxid | 0;
}

/** Everything that one revision has for a connection. */
export interface MissedRevision {
  readonly zxid: Zxid;
  readonly hits: readonly WatchHit[];
}

interface Entry extends ResumingWatch {
  /** Of its events so far. */
  bytes: number;
  isLost: boolean;
}

/**
 * What the resuming watches of one connection have missed, as it is found. Bounded: where there is more than the
 * connection has room for, the watch with the most events loses them, because sending it all would only end the
 * connection, and the next one in the same way.
 */
export class MissedEvents {
  readonly #watches = new Map<number, Entry>();
  #revisions: MissedRevision[] = [];
  #bytes = 0;

  get count(): number {
    return this.#watches.size;
  }

  /** In the order in which they came. */
  get watches(): Iterable<ResumingWatch & { readonly isLost: boolean }> {
    return this.#watches.values();
  }

  get revisions(): readonly MissedRevision[] {
    return this.#revisions;
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
    this.#watches.set(watch.watch.watchId, { ...watch, bytes: 0, isLost: false });
  }

  /** Those that would go on from before `oldestZxid` have lost their events. */
  loseBefore(oldestZxid: Zxid | 0): void {
    for (const entry of this.#watches.values()) {
      if (entry.sinceZxid >= oldestZxid) continue;
      entry.isLost = true;
      this.#strip(entry.watch.watchId);
    }
  }

  /** Takes in what a later revision has, within `bytesMax` in all; 0: whoever has missed anything loses it. */
  note(zxid: Zxid, hits: readonly WatchHit[], bytesMax: number): void {
    const wanted: WatchHit[] = [];
    for (const { watchIds, event } of hits) {
      const ids = watchIds.filter((id) => this.#wants(id, zxid));
      if (ids.length > 0) wanted.push({ watchIds: ids, event });
    }
    if (wanted.length === 0) return;
    this.#revisions.push({ zxid, hits: wanted });
    for (const hit of wanted) this.#count(hit, 1);
    while (this.#bytes > bytesMax) this.#loseHeaviest();
  }

  #wants(watchId: number, zxid: Zxid): boolean {
    const entry = this.#watches.get(watchId);
    return entry !== undefined && !entry.isLost && zxid > entry.sinceZxid;
  }

  #count(hit: WatchHit, sign: 1 | -1): void {
    const bytes = hitBytes(hit) * sign;
    this.#bytes += bytes;
    for (const id of hit.watchIds) {
      const entry = this.#watches.get(id);
      if (entry !== undefined) entry.bytes += bytes;
    }
  }

  #loseHeaviest(): void {
    let heaviest: Entry | null = null;
    for (const entry of this.#watches.values()) {
      if (!entry.isLost && entry.bytes > (heaviest?.bytes ?? 0)) heaviest = entry;
    }
    assert(heaviest !== null, "bytes_belong_to_a_watch");
    reached("missed_events_beyond_their_bound");
    heaviest.isLost = true;
    this.#strip(heaviest.watch.watchId);
  }

  /** Takes everything for that watch out again. */
  #strip(watchId: number): void {
    const revisions: MissedRevision[] = [];
    for (const { zxid, hits } of this.#revisions) {
      const kept: WatchHit[] = [];
      for (const hit of hits) {
        const ids = hit.watchIds.filter((id) => id !== watchId);
        if (ids.length < hit.watchIds.length) this.#count(hit, -1);
        if (ids.length === 0) continue;
        if (ids.length < hit.watchIds.length) this.#count({ ...hit, watchIds: ids }, 1);
        kept.push({ ...hit, watchIds: ids });
      }
      if (kept.length > 0) revisions.push({ zxid, hits: kept });
    }
    this.#revisions = revisions;
  }
}
