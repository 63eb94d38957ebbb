import type { Change } from "./apply-outcome.ts";
import { assert } from "./assert.ts";
import type { Zxid } from "./protocol/index.ts";
import { RevisionQueue } from "./revision-queue.ts";

/** Changes after a revision, or how far back they reach. */
export type ChangesSince =
  | { readonly ok: true; readonly changes: Iterable<Change> }
  /** Revisions before `oldestZxid` can no longer be resumed from. */
  | { readonly ok: false; readonly oldestZxid: Zxid | 0 };

/** Bounds of a {@link ChangeLog}. */
export interface ChangeLogLimits {
  readonly bytesMax: number;
  readonly countMax: number;
  /** Newest changes that the image holds too. */
  readonly imagedCountMax: number;
}

/** The changes of one revision, as the image holds them. */
export interface ImagedChanges {
  readonly zxid: Zxid;
  readonly count: number;
}

/** What a checkpoint writes of the log. */
export interface ChangeLogDelta {
  /** Oldest revision after which the image will know every change. */
  readonly oldestZxid: Zxid | 0;
  /** Changes that the image will hold. */
  readonly count: number;
  readonly added: readonly (readonly Change[])[];
  /** Revisions whose records are to leave the image. */
  readonly fallen: readonly ImagedChanges[];
}

const CHANGE_BYTES = 400;

/**
 * Byte- and count-bounded ring of committed changes, whole revisions at a time. What falls off raises `oldestZxid`.
 * It also knows which of its revisions the image holds, for checkpoints: only the newest, because writing every change
 * once more would cost a checkpoint more than the znodes themselves do. What changed since is in the log.
 */
export class ChangeLog {
  readonly #limits: ChangeLogLimits;
  readonly #revisions = new RevisionQueue();
  #newestZxid: Zxid | 0 = 0;
  #bytes = 0;
  #count = 0;
  #oldestZxid: Zxid | 0;
  /** Last revision that a completed checkpoint wrote. */
  #imagedZxid: Zxid | 0 = 0;
  /** Revisions whose records the image may hold, ascending. */
  #imaged: readonly ImagedChanges[] = [];
  #frozen: readonly ImagedChanges[] = [];

  /** `oldestZxid`: of the image the log continues; 0 for a new history. */
  constructor(limits: ChangeLogLimits, oldestZxid: Zxid | 0 = 0) {
    this.#limits = limits;
    this.#oldestZxid = oldestZxid;
  }

  /** Oldest revision after which every change is known. */
  get oldestZxid(): Zxid | 0 {
    return this.#oldestZxid;
  }

  /** Changes held. */
  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** All changes of one revision, above those before. */
  append(changes: readonly Change[]): void {
    const first = changes[0];
    if (first === undefined) return;
    assert(this.#newestZxid < first.zxid, "change_log_ascending");
    const bytes = bytesOf(changes);
    this.#revisions.push(changes, first.zxid, bytes);
    this.#newestZxid = first.zxid;
    this.#count += changes.length;
    this.#bytes += bytes;
    while (this.#bytes > this.#limits.bytesMax || this.#count > this.#limits.countMax) {
      this.#dropFirst();
    }
  }

  /** Takes back what an image holds of it, ascending; before anything is appended. */
  restore(revisions: readonly (readonly Change[])[]): void {
    assert(this.#revisions.length === 0, "restored_when_empty");
    const imaged: ImagedChanges[] = [];
    for (const changes of revisions) {
      const first = changes[0];
      if (first !== undefined) imaged.push({ zxid: first.zxid, count: changes.length });
      this.append(changes);
    }
    this.#imaged = imaged;
    this.#imagedZxid = imaged.at(-1)?.zxid ?? 0;
  }

  /** Every change of a revision above `zxid`, in order; the iterable is only good until the next apply. */
  since(zxid: Zxid | 0): ChangesSince {
    if (zxid < this.#oldestZxid) return { ok: false, oldestZxid: this.#oldestZxid };
    return { ok: true, changes: this.#from(this.#indexAfter(zxid)) };
  }

  freeze(): ChangeLogDelta {
    const { length } = this.#revisions;
    let from = length;
    let count = 0;
    while (from > 0) {
      const more = this.#revisions.changesAt(from - 1).length;
      if (count + more > this.#limits.imagedCountMax) break;
      count += more;
      from -= 1;
    }
    const oldestZxid = from === 0 ? this.#oldestZxid : this.#revisions.zxidAt(from - 1);
    const frozen: ImagedChanges[] = [];
    const added: (readonly Change[])[] = [];
    for (let i = from; i < length; i += 1) {
      const changes = this.#revisions.changesAt(i);
      const zxid = this.#revisions.zxidAt(i);
      assert(changes.length > 0, "imaged_revision_not_empty");
      frozen.push({ zxid, count: changes.length });
      if (zxid > this.#imagedZxid) added.push(changes);
    }
    this.#frozen = frozen;
    const fallen = this.#imaged.filter(({ zxid }) => zxid <= oldestZxid);
    assert(oldestZxid >= this.#oldestZxid, "image_reaches_back_no_further");
    return { oldestZxid, count, added, fallen };
  }

  complete(): void {
    this.#imagedZxid = this.#frozen.at(-1)?.zxid ?? this.#imagedZxid;
    this.#imaged = this.#frozen;
    this.#frozen = [];
  }

  /** What was drained may have reached the image all the same. */
  abandon(): void {
    const last = this.#imaged.at(-1)?.zxid ?? 0;
    this.#imaged = this.#imaged.concat(this.#frozen.filter(({ zxid }) => zxid > last));
    this.#frozen = [];
  }

  *#from(start: number): IterableIterator<Change> {
    for (let i = start; i < this.#revisions.length; i += 1) yield* this.#revisions.changesAt(i);
  }

  /** Index of the first revision above `zxid`. */
  #indexAfter(zxid: Zxid | 0): number {
    let low = 0;
    let high = this.#revisions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#revisions.zxidAt(middle) <= zxid) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #dropFirst(): void {
    const count = this.#revisions.changesAt(0).length;
    const zxid = this.#revisions.zxidAt(0);
    assert(count > 0, "dropped_revision_not_empty");
    this.#bytes -= this.#revisions.shift();
    this.#count -= count;
    this.#oldestZxid = zxid;
  }
}

function bytesOf(changes: readonly Change[]): number {
  let bytes = 0;
  for (const change of changes) {
    const before = change.kind === "dataChanged" ? (change.before?.data.length ?? 0) : 0;
    bytes += CHANGE_BYTES + 2 * change.path.length + change.data.length + before;
  }
  return bytes;
}
