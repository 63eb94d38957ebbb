import { assert } from "./assert.ts";
import { PROTOCOL_LIMITS, type WriteOp, type WriteSeq } from "./protocol/index.ts";
import { replyBytesMax, type ReplyWindow } from "./reply-window.ts";
import type { Session } from "./session.ts";
import type { TreeState } from "./tree-state.ts";

/**
 * Bytes of unacknowledged replies that are each session's own, whatever the others hold: the reply to any single op fits, and
 * what an SDK leaves unacknowledged when it idles.
 */
export const OWN_REPLY_BYTES = 4_096;

/** What all sessions may have beyond their own, together: this part of `bytesMax`. */
const COMMON_PART = 1 / 4;
/** This part of it is there for whoever comes first; the rest is dealt out in equal shares. */
const FREE_PART = 1 / 2;

/** What a window of so many bytes takes of the room that all sessions have in common. */
export function beyondOwn(windowBytes: number): number {
  return Math.max(0, windowBytes - OWN_REPLY_BYTES);
}

/** Whether a session has room for another reply within the bounds of its own window, `ackedSeq` being acknowledged. */
export function hasWindowRoom(window: ReplyWindow, ackedSeq: WriteSeq | 0): boolean {
  const { outstandingBytesMax } = PROTOCOL_LIMITS;
  return window.bytes < outstandingBytesMax || window.bytesAfter(ackedSeq) < outstandingBytesMax;
}

/**
 * Whether there is room for the reply to `ops` among the replies of all sessions, `ackedSeq` being acknowledged. A write of
 * one op always finds some once everything before it is acknowledged; so does any write while nobody holds much.
 */
export function hasCommonRoom(
  state: TreeState,
  session: Session,
  ackedSeq: WriteSeq | 0,
  ops: readonly WriteOp[],
): boolean {
  const { commonReplyBytes: held, limits, sessions } = state;
  const room = limits.bytesMax * COMMON_PART;
  if (held < room * FREE_PART) return true;
  const { window } = session;
  const others = held - beyondOwn(window.bytes);
  assert(others >= 0 && sessions.size > 0, "common_replies_counted");
  const unacked = window.bytesAfter(ackedSeq);
  if (others + beyondOwn(unacked) < room * FREE_PART) return true;
  const needed = beyondOwn(unacked + replyBytesMax(ops));
  return needed === 0 || needed * sessions.size <= room - others;
}
