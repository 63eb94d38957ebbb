import type { Change } from "./apply-outcome.ts";
import { assert } from "./assert.ts";
import type { Zxid } from "./protocol/index.ts";

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
const NOTHING: readonly Change[] = [];

/**
 * Byte- and count-bounded ring of committed changes, whole revisions at a time. What falls off raises `oldestZxid`.
 * It also knows which of its revisions the image holds, for checkpoints: only the newest, because writing every change
 * once more would cost a checkpoint more than the znodes themselves do. What changed since is in the log.
 */
export class ChangeLog {
  readonly #limits: ChangeLogLimits;
  /** One array for each revision that changed something, ascending; those before `#head` fell off. */
  #revisions: (readonly Change[])[] = [];
  /** Zxid and bytes of each revision, so that dropping one, long after it was last looked at, need not look at it. */
  #zxids: Zxid[] = [];
  #sizes: number[] = [];
  #head = 0;
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
    const last = this.#zxids.at(-1) ?? 0;
    assert(last < first.zxid, "change_log_ascending");
    const bytes = bytesOf(changes);
    this.#revisions.push(changes);
    this.#zxids.push(first.zxid);
    this.#sizes.push(bytes);
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
    let from = this.#revisions.length;
    let count = 0;
    while (from > this.#head) {
      const more = this.#revisions[from - 1]?.length ?? 0;
      if (count + more > this.#limits.imagedCountMax) break;
      count += more;
      from -= 1;
    }
    const oldestZxid = from === this.#head ? this.#oldestZxid : (this.#zxids[from - 1] ?? 0);
    this.#frozen = this.#revisions
      .slice(from)
      .map((changes, at) => imagedOf(this.#zxids[from + at], changes));
    const added = this.#revisions.slice(Math.max(from, this.#indexAfter(this.#imagedZxid)));
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
    for (let i = start; i < this.#revisions.length; i += 1) yield* this.#revisions[i] ?? NOTHING;
  }

  /** Index of the first revision above `zxid`. */
  #indexAfter(zxid: Zxid | 0): number {
    let low = this.#head;
    let high = this.#revisions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#zxids[middle] ?? 0) <= zxid) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #dropFirst(): void {
    const count = this.#revisions[this.#head]?.length ?? 0;
    const zxid = this.#zxids[this.#head];
    assert(zxid !== undefined && count > 0, "dropped_revision_not_empty");
    this.#bytes -= this.#sizes[this.#head] ?? 0;
    this.#count -= count;
    this.#revisions[this.#head] = NOTHING;
    this.#head += 1;
    this.#oldestZxid = zxid;
    if (this.#head <= 1024 || this.#head * 2 <= this.#revisions.length) return;
    this.#revisions = this.#revisions.slice(this.#head);
    this.#zxids = this.#zxids.slice(this.#head);
    this.#sizes = this.#sizes.slice(this.#head);
    this.#head = 0;
  }
}

function imagedOf(zxid: Zxid | undefined, changes: readonly Change[]): ImagedChanges {
  assert(zxid !== undefined && changes.length > 0, "imaged_revision_not_empty");
  return { zxid, count: changes.length };
}

function bytesOf(changes: readonly Change[]): number {
  let bytes = 0;
  for (const change of changes) {
    const before = change.kind === "dataChanged" ? (change.before?.data.length ?? 0) : 0;
    bytes += CHANGE_BYTES + 2 * change.path.length + change.data.length + before;
  }
  return bytes;
}
