import { assert } from "./assert.ts";
import type { ChangeLogDelta } from "./change-log.ts";
import { encodePiece } from "./change-piece.ts";
import {
  encodeMeta,
  encodeReply,
  encodeSession,
  encodeZnode,
  type ImageMeta,
} from "./image-codec.ts";
import { changesKey, META_KEY, replyKey, sessionKey, znodeKey } from "./image-keys.ts";
import { reached } from "./points.ts";
import { type WriteSeq, writeSeq, type Zxid } from "./protocol/index.ts";
import { ValueWriter } from "./protocol/value-writer.ts";
import type { Session, SessionImage } from "./session.ts";
import { renderDigest, type TreeState } from "./tree-state.ts";

/** One key of the image and its value; null: the key goes. Where a key comes twice, the later record wins. */
export interface ImageRecord {
  readonly key: string;
  /** Holds until the next records are asked for. */
  readonly value: Uint8Array | null;
}

/** What changed between the last completed checkpoint and `zxid`, to be drained while the tree goes on. */
export interface Checkpoint {
  /** Revision at which the state is fixed. */
  readonly zxid: Zxid | 0;
  /** Digest of the state at that revision. */
  readonly digest: string;
  /** Next records, whose values hold until the next call: at most `countMax`, and none after the one that reaches `bytesMax` in sum. Empty: drained. */
  next(countMax: number, bytesMax: number): readonly ImageRecord[];
  /** The host wrote everything durably. Only after `next` returned nothing. */
  complete(): void;
  /** The host gives up: everything counts as changed again. */
  abandon(): void;
}

/** Room for what a host takes at once and more: one chunk serves a whole checkpoint. */
const CHUNK_BYTES = 524_288;

/** Fixes the state; throws if a checkpoint is under way. */
export function beginCheckpoint(state: TreeState): Checkpoint {
  return new StateCheckpoint(state);
}

/** No image holds anything of the state any more; throws if a checkpoint is under way. Walks everything. */
export function forgetImage(state: TreeState): void {
  assert(!state.isFrozen, "forgotten_between_checkpoints");
  reached("image_forgotten");
  state.dirtyNodes.forgetImage(state.nodes.values());
  state.dirtySessions.forgetImage(state.sessions.values());
  state.changeLog.forgetImage();
  for (const session of state.sessions.values()) {
    session.imagedAcked = 0;
    session.imagedLast = 0;
  }
}

/** Replies of a session that the image holds. */
interface ImagedRange {
  readonly session: Session;
  readonly ackedSeq: WriteSeq | 0;
  readonly lastSeq: WriteSeq | 0;
}

class StateCheckpoint implements Checkpoint {
  readonly zxid: Zxid | 0;
  readonly digest: string;
  readonly #state: TreeState;
  readonly #writer = new ValueWriter(CHUNK_BYTES);
  readonly #log: ChangeLogDelta;
  readonly #records: Iterator<ImageRecord, void>;
  /** Reply ranges before this checkpoint, for those sessions that it has drained. */
  readonly #ranges: ImagedRange[] = [];
  #phase: "draining" | "drained" | "ended" = "draining";

  constructor(state: TreeState) {
    assert(!state.isFrozen, "one_checkpoint_at_a_time");
    state.isFrozen = true;
    state.dirtyNodes.freeze();
    state.dirtySessions.freeze();
    this.#state = state;
    this.#log = state.changeLog.freeze();
    this.zxid = state.lastZxid;
    this.digest = renderDigest(state, state.digest);
    this.#records = this.#drain(metaOf(state, this.digest, this.#log));
  }

  next(countMax: number, bytesMax: number): readonly ImageRecord[] {
    assert(this.#phase !== "ended", "checkpoint_not_ended");
    assert(countMax > 0 && bytesMax > 0, "slice_bounds_positive");
    this.#writer.reuse();
    const records: ImageRecord[] = [];
    let bytes = 0;
    while (this.#phase === "draining" && records.length < countMax && bytes < bytesMax) {
      const step = this.#records.next();
      if (step.done === true) {
        this.#phase = "drained";
      } else {
        records.push(step.value);
        bytes += step.value.key.length + (step.value.value?.length ?? 0);
      }
    }
    return records;
  }

  complete(): void {
    assert(this.#phase === "drained", "completed_after_draining");
    assert(this.#state.isFrozen, "completed_while_frozen");
    this.#phase = "ended";
    this.#state.dirtyNodes.complete();
    this.#state.dirtySessions.complete();
    this.#state.changeLog.complete();
    this.#state.isFrozen = false;
  }

  abandon(): void {
    assert(this.#phase !== "ended", "checkpoint_not_ended");
    assert(this.#state.isFrozen, "abandoned_while_frozen");
    this.#phase = "ended";
    for (const { session, ackedSeq, lastSeq } of this.#ranges) {
      reached("replies_of_abandoned_checkpoint_written_again");
      session.imagedAcked = ackedSeq;
      session.imagedLast = lastSeq;
    }
    this.#state.dirtyNodes.abandon();
    this.#state.dirtySessions.abandon();
    this.#state.changeLog.abandon();
    this.#state.isFrozen = false;
  }

  *#drain(meta: ImageMeta): IterableIterator<ImageRecord, void> {
    yield { key: META_KEY, value: encodeMeta(meta) };
    for (;;) {
      const frozen = this.#state.dirtyNodes.drain();
      if (frozen === null) break;
      const { item, image } = frozen;
      yield {
        key: znodeKey(item.path),
        value: image === null ? null : encodeZnode(this.#writer, image),
      };
    }
    for (;;) {
      const frozen = this.#state.dirtySessions.drain();
      if (frozen === null) break;
      yield* this.#sessionRecords(frozen.item, frozen.image);
    }
    for (const { firstZxid } of this.#log.fallen) yield { key: changesKey(firstZxid), value: null };
    for (const piece of this.#log.added) {
      yield { key: changesKey(piece.firstZxid), value: encodePiece(this.#writer, piece) };
    }
  }

  /** The session's record, and its replies that came or went since the image last saw it. */
  *#sessionRecords(session: Session, image: SessionImage | null): IterableIterator<ImageRecord> {
    const { id, imagedAcked, imagedLast } = session;
    this.#ranges.push({ session, ackedSeq: imagedAcked, lastSeq: imagedLast });
    assert(imagedAcked <= imagedLast, "imaged_replies_in_order");
    assert(image !== null || session.isRemoved, "only_ended_sessions_have_no_image");
    session.imagedAcked = image?.ackedSeq ?? 0;
    session.imagedLast = image?.lastWriteSeq ?? 0;
    const goneUpTo = image === null ? imagedLast : Math.min(image.ackedSeq, imagedLast);
    yield { key: sessionKey(id), value: image === null ? null : encodeSession(image) };
    for (let seq = imagedAcked + 1; seq <= goneUpTo; seq += 1) {
      reached("acknowledged_reply_left_the_image");
      yield { key: replyKey(id, writeSeq(seq)), value: null };
    }
    for (const { writeSeq, outcome } of image?.replies ?? []) {
      if (writeSeq > imagedLast) {
        reached("unacknowledged_reply_in_the_image");
        yield { key: replyKey(id, writeSeq), value: encodeReply(this.#writer, outcome) };
      }
    }
  }
}

function metaOf(state: TreeState, digest: string, log: ChangeLogDelta): ImageMeta {
  const { limits } = state;
  assert(log.oldestZxid <= state.lastZxid, "change_log_ends_with_the_state");
  return {
    zxid: state.lastZxid,
    clockMs: state.clockMs,
    digest,
    nodeCount: state.nodes.size,
    sessionCount: state.sessions.size,
    replyCount: state.replyCount,
    changeCount: log.count,
    bytes: state.bytes,
    oldestZxid: log.oldestZxid,
    bytesMax: limits.bytesMax,
    sessionsMax: limits.sessionsMax,
    sessionEphemeralsMax: limits.sessionEphemeralsMax,
  };
}
