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
}

/** The changes of one revision whose records are to leave the image. */
export interface FallenChanges {
  readonly zxid: Zxid;
  readonly count: number;
}

/** What a checkpoint writes of the log. */
export interface ChangeLogDelta {
  readonly oldestZxid: Zxid | 0;
  readonly added: readonly (readonly Change[])[];
  readonly fallen: readonly FallenChanges[];
}

const CHANGE_BYTES = 400;
const NOTHING: readonly Change[] = [];

/**
 * Byte- and count-bounded ring of committed changes, whole revisions at a time. What falls off raises `oldestZxid`.
 * It also knows which of its revisions the image holds, for checkpoints.
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
  #imagedZxid: Zxid | 0 = 0;
  #frozenZxid: Zxid | 0 = 0;
  #fallen: FallenChanges[] = [];
  #frozenFallen: readonly FallenChanges[] = [];

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
    const last = revisions.at(-1)?.[0];
    if (last !== undefined) this.#imagedZxid = last.zxid;
    for (const changes of revisions) this.append(changes);
  }

  /** Every change of a revision above `zxid`, in order; the iterable is only good until the next apply. */
  since(zxid: Zxid | 0): ChangesSince {
    if (zxid < this.#oldestZxid) return { ok: false, oldestZxid: this.#oldestZxid };
    return { ok: true, changes: this.#from(this.#indexAfter(zxid)) };
  }

  freeze(): ChangeLogDelta {
    const from = this.#indexAfter(this.#imagedZxid);
    const added = this.#revisions.slice(from);
    this.#frozenZxid = added.at(-1)?.[0]?.zxid ?? this.#imagedZxid;
    this.#frozenFallen = this.#fallen;
    this.#fallen = [];
    assert(this.#frozenZxid >= this.#imagedZxid, "frozen_after_imaged");
    return { oldestZxid: this.#oldestZxid, added, fallen: this.#frozenFallen };
  }

  complete(): void {
    this.#imagedZxid = this.#frozenZxid;
    this.#frozenFallen = [];
  }

  abandon(): void {
    this.#fallen = this.#frozenFallen.concat(this.#fallen);
    this.#frozenZxid = this.#imagedZxid;
    this.#frozenFallen = [];
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
    if (zxid <= this.#imagedZxid || zxid <= this.#frozenZxid) this.#fallen.push({ zxid, count });
    if (this.#head <= 1024 || this.#head * 2 <= this.#revisions.length) return;
    this.#revisions = this.#revisions.slice(this.#head);
    this.#zxids = this.#zxids.slice(this.#head);
    this.#sizes = this.#sizes.slice(this.#head);
    this.#head = 0;
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
