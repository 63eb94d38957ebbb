import type { Change } from "./apply-outcome.ts";
import { assert } from "./assert.ts";
import type { ChangePiece, NewChangePiece } from "./change-piece.ts";
import { ChangeStore } from "./change-store.ts";
import { reached } from "./points.ts";
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
  /** Newest changes that the image holds too, in count and in bytes. */
  readonly imagedCountMax: number;
  readonly imagedBytesMax: number;
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

/** Of a change beside path and data. */
const CHANGE_BYTES = 300;
/** Of a record of the image, as the log counts them, unless one revision takes more. */
const PIECE_BYTES_MAX = 65_536;

/**
 * Byte- and count-bounded queue of committed changes, whole revisions at a time. What falls off raises `oldestZxid`.
 * It also knows which of its revisions the image holds: only the newest, because writing every change once more would
 * cost a checkpoint more than the znodes themselves do. What changed since is in the log.
 */
export class ChangeLog {
  readonly #limits: ChangeLogLimits;
  readonly #changes = new ChangeStore();
  #newestZxid: Zxid | 0;
  #bytes = 0;
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
    return this.#changes.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** All changes of one revision, above those before. */
  append(changes: readonly Change[]): void {
    const first = changes[0];
    if (first === undefined) return;
    assert(this.#newestZxid < first.zxid, "change_log_ascending");
    this.#newestZxid = first.zxid;
    for (const change of changes) {
      assert(change.zxid === first.zxid, "revision_of_one_zxid");
      const bytes = bytesOf(change);
      this.#changes.push(change, bytes);
      this.#bytes += bytes;
    }
    const { bytesMax, countMax } = this.#limits;
    while (this.#bytes > bytesMax || this.#changes.length > countMax) this.#dropFirst();
    assert(this.#bytes >= 0 && this.#oldestZxid <= this.#newestZxid, "change_log_bounds");
  }

  /** Takes back a record of the image, ascending, before anything else is appended. */
  restore(piece: NewChangePiece): void {
    assert(piece.afterZxid === this.#newestZxid, "restored_without_gaps");
    reached("changes_restored_from_image");
    let revision: Change[] = [];
    for (const change of piece.changes) {
      if (revision.length > 0 && revision[0]?.zxid !== change.zxid) {
        this.append(revision);
        revision = [];
      }
      revision.push(change);
    }
    this.append(revision);
    this.#imaged = [...this.#imaged, withoutChanges(piece)];
  }

  /** Every change of a revision above `zxid`, in order; the iterable is only good until the next apply. */
  since(zxid: Zxid | 0): ChangesSince {
    if (zxid < this.#oldestZxid) {
      reached("changes_asked_for_are_gone");
      return { ok: false, oldestZxid: this.#oldestZxid };
    }
    const start = this.#indexAfter(zxid);
    assert(start <= this.#changes.length, "change_range_in_log");
    return { ok: true, changes: this.#changes.range(start, this.#changes.length) };
  }

  /** No image holds anything of it any more. */
  forgetImage(): void {
    assert(this.#frozen === null, "forgotten_between_checkpoints");
    this.#imaged = [];
    this.#stale = [];
  }

  freeze(): ChangeLogDelta {
    assert(this.#frozen === null, "one_checkpoint_at_a_time");
    const cut = this.#zxidBefore(this.#firstImaged());
    const kept = this.#imaged.filter(({ lastZxid }) => lastZxid > cut);
    const fallen = this.#imaged.filter(({ lastZxid }) => lastZxid <= cut);
    if (this.#stale.length > 0) reached("changes_of_abandoned_checkpoint_removed");
    if (fallen.length > 0) reached("changes_fell_out_of_the_image");
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
    this.#imaged = [...kept, ...delta.added.map(withoutChanges)];
    this.#stale = [];
    this.#frozen = null;
  }

  /** What was drained may have reached the image all the same, and what fell may have left it. */
  abandon(): void {
    const delta = this.#frozen;
    assert(delta !== null, "abandoned_while_frozen");
    reached("change_log_checkpoint_abandoned");
    this.#stale = [...this.#stale, ...this.#imaged, ...delta.added.map(withoutChanges)];
    this.#imaged = [];
    this.#frozen = null;
  }

  /** Index of the first change after `zxid`. */
  #indexAfter(zxid: Zxid | 0): number {
    let low = 0;
    let high = this.#changes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#changes.zxidAt(middle) <= zxid) low = middle + 1;
      else high = middle;
    }
    assert(low === 0 || this.#changes.zxidAt(low - 1) <= zxid, "change_found_in_order");
    return low;
  }

  /** Index of the first change of the newest revisions that the image may hold, whole ones. */
  #firstImaged(): number {
    const { imagedCountMax, imagedBytesMax } = this.#limits;
    const { length } = this.#changes;
    let first = length;
    let bytes = 0;
    while (first > 0 && length - first < imagedCountMax) {
      bytes += this.#changes.countedBytesAt(first - 1);
      if (bytes > imagedBytesMax) {
        reached("imaged_changes_bounded_by_bytes");
        break;
      }
      first -= 1;
    }
    assert(first >= 0 && length - first <= imagedCountMax, "imaged_changes_bounded");
    return first === 0 ? 0 : this.#indexAfter(this.#changes.zxidAt(first - 1));
  }

  #zxidBefore(index: number): Zxid | 0 {
    return index === 0 ? this.#oldestZxid : this.#changes.zxidAt(index - 1);
  }

  #pieces(from: number): readonly NewChangePiece[] {
    const pieces: NewChangePiece[] = [];
    let at = from;
    while (at < this.#changes.length) {
      const piece = this.#pieceAt(at);
      pieces.push(piece);
      at += piece.count;
    }
    return pieces;
  }

  #pieceAt(index: number): NewChangePiece {
    const { length } = this.#changes;
    const firstZxid = this.#changes.zxidAt(index);
    let end = index;
    let bytes = 0;
    while (end < length) {
      const next = this.#indexAfter(this.#changes.zxidAt(end));
      for (let at = end; at < next; at += 1) bytes += this.#changes.countedBytesAt(at);
      if (end > index && bytes > PIECE_BYTES_MAX) {
        reached("changes_split_into_pieces");
        break;
      }
      end = next;
    }
    assert(end > index, "piece_not_empty");
    return {
      afterZxid: this.#zxidBefore(index),
      firstZxid,
      lastZxid: this.#changes.zxidAt(end - 1),
      count: end - index,
      changes: this.#changes.range(index, end),
    };
  }

  #dropFirst(): void {
    assert(this.#changes.length > 0, "dropped_revision_exists");
    const zxid = this.#changes.zxidAt(0);
    while (this.#changes.length > 0 && this.#changes.zxidAt(0) === zxid) {
      this.#bytes -= this.#changes.countedBytesAt(0);
      this.#changes.shift();
    }
    this.#oldestZxid = zxid;
  }
}

function withoutChanges(piece: NewChangePiece): ChangePiece {
  const { afterZxid, firstZxid, lastZxid, count } = piece;
  return { afterZxid, firstZxid, lastZxid, count };
}

function bytesOf(change: Change): number {
  const before = change.kind === "dataChanged" ? (change.before?.data.length ?? 0) : 0;
  return CHANGE_BYTES + 2 * change.path.length + change.data.length + before;
}
