import type { Change } from "./apply-outcome.ts";
import { assert } from "./assert.ts";
import type { ChangePiece, NewChangePiece, Revision } from "./change-piece.ts";
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

/** What a checkpoint writes of the log. */
export interface ChangeLogDelta {
  /** Oldest revision after which the image will know every change. */
  readonly oldestZxid: Zxid | 0;
  /** Changes that the image will hold. */
  readonly count: number;
  readonly added: readonly NewChangePiece[];
  /** Records that are to leave the image, before `added` enters it. */
  readonly fallen: readonly ChangePiece[];
}

const CHANGE_BYTES = 400;
/** Of a record of the image, as the log counts them, unless one revision takes more. */
const PIECE_BYTES_MAX = 65_536;

/**
 * Byte- and count-bounded queue of committed changes, whole revisions at a time. What falls off raises `oldestZxid`.
 * It also knows which of its revisions the image holds: only the newest, because writing every change once more would
 * cost a checkpoint more than the znodes themselves do. What changed since is in the log.
 */
export class ChangeLog {
  readonly #limits: ChangeLogLimits;
  readonly #revisions = new RevisionQueue();
  #newestZxid: Zxid | 0;
  #bytes = 0;
  #count = 0;
  #oldestZxid: Zxid | 0;
  /** Records of the image, ascending and without gaps between them. */
  #imaged: readonly ChangePiece[] = [];
  /** Records that may be in the image and do not belong there. */
  #stale: readonly ChangePiece[] = [];
  #frozen: ChangeLogDelta | null = null;

  /** `oldestZxid`: of the image the log continues; 0 for a new history. */
  constructor(limits: ChangeLogLimits, oldestZxid: Zxid | 0 = 0) {
    this.#limits = limits;
    this.#oldestZxid = oldestZxid;
    this.#newestZxid = oldestZxid;
  }

  /** Oldest revision after which every change is known. */
  get oldestZxid(): Zxid | 0 {
    return this.#oldestZxid;
  }

  /** Newest revision that changed something. */
  get newestZxid(): Zxid | 0 {
    return this.#newestZxid;
  }

  /** Changes held. */
  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** All changes of one revision, above those before. */
  append(changes: Revision): void {
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

  /** Takes back a record of the image, ascending, before anything else is appended. */
  restore(piece: NewChangePiece): void {
    assert(piece.afterZxid === this.#newestZxid, "restored_without_gaps");
    for (const changes of piece.revisions) this.append(changes);
    this.#imaged = [...this.#imaged, withoutRevisions(piece)];
  }

  /** Every change of a revision above `zxid`, in order; the iterable is only good until the next apply. */
  since(zxid: Zxid | 0): ChangesSince {
    if (zxid < this.#oldestZxid) return { ok: false, oldestZxid: this.#oldestZxid };
    return { ok: true, changes: this.#from(this.#indexAfter(zxid)) };
  }

  freeze(): ChangeLogDelta {
    assert(this.#frozen === null, "one_checkpoint_at_a_time");
    const cut = this.#zxidBefore(this.#newest(this.#limits.imagedCountMax));
    const kept = this.#imaged.filter(({ lastZxid }) => lastZxid > cut);
    const fallen = this.#imaged.filter(({ lastZxid }) => lastZxid <= cut);
    const added = this.#pieces(this.#indexAfter(kept.at(-1)?.lastZxid ?? cut));
    const pieces = [...kept, ...added];
    this.#frozen = {
      oldestZxid: pieces[0]?.afterZxid ?? cut,
      count: pieces.reduce((count, piece) => count + piece.count, 0),
      added,
      fallen: [...this.#stale, ...fallen],
    };
    return this.#frozen;
  }

  complete(): void {
    const delta = this.#frozen;
    assert(delta !== null, "completed_while_frozen");
    const fallen = new Set(delta.fallen);
    const kept = this.#imaged.filter((piece) => !fallen.has(piece));
    this.#imaged = [...kept, ...delta.added.map(withoutRevisions)];
    this.#stale = [];
    this.#frozen = null;
  }

  /** What was drained may have reached the image all the same, and what fell may have left it. */
  abandon(): void {
    const delta = this.#frozen;
    assert(delta !== null, "abandoned_while_frozen");
    this.#stale = [...this.#stale, ...this.#imaged, ...delta.added.map(withoutRevisions)];
    this.#imaged = [];
    this.#frozen = null;
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

  /** Index of the first of the newest revisions that have at most `countMax` changes together. */
  #newest(countMax: number): number {
    let from = this.#revisions.length;
    let count = 0;
    while (from > 0) {
      count += this.#revisions.changesAt(from - 1).length;
      if (count > countMax) break;
      from -= 1;
    }
    return from;
  }

  #zxidBefore(index: number): Zxid | 0 {
    return index === 0 ? this.#oldestZxid : this.#revisions.zxidAt(index - 1);
  }

  #pieces(from: number): readonly NewChangePiece[] {
    const pieces: NewChangePiece[] = [];
    let at = from;
    while (at < this.#revisions.length) {
      const piece = this.#pieceAt(at);
      pieces.push(piece);
      at += piece.revisions.length;
    }
    return pieces;
  }

  #pieceAt(index: number): NewChangePiece {
    const revisions: Revision[] = [];
    let bytes = 0;
    let count = 0;
    for (let at = index; at < this.#revisions.length; at += 1) {
      const changes = this.#revisions.changesAt(at);
      bytes += bytesOf(changes);
      if (at > index && bytes > PIECE_BYTES_MAX) break;
      count += changes.length;
      revisions.push(changes);
    }
    const lastZxid = this.#revisions.zxidAt(index + revisions.length - 1);
    const firstZxid = this.#revisions.zxidAt(index);
    return { afterZxid: this.#zxidBefore(index), firstZxid, lastZxid, count, revisions };
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

function withoutRevisions(piece: NewChangePiece): ChangePiece {
  const { afterZxid, firstZxid, lastZxid, count } = piece;
  return { afterZxid, firstZxid, lastZxid, count };
}

function bytesOf(changes: Revision): number {
  let bytes = 0;
  for (const change of changes) {
    const before = change.kind === "dataChanged" ? (change.before?.data.length ?? 0) : 0;
    bytes += CHANGE_BYTES + 2 * change.path.length + change.data.length + before;
  }
  return bytes;
}
