import { assert } from "./assert.ts";
import type { AttachInfo } from "./command.ts";
import { type Hasher, ITEM } from "./digest.ts";
import type { Mark } from "./dirty-list.ts";
import type { SessionId, WriteSeq, Zxid } from "./protocol/index.ts";
import { type RememberedReply, ReplyWindow } from "./reply-window.ts";
import type { SessionView } from "./session-view.ts";
import { SortedNames } from "./sorted-names.ts";

/** What the image's session record holds. */
export interface SessionRecord {
  readonly timeoutMs: number;
  readonly verifier: Uint8Array;
  readonly epoch: number;
  readonly attach: AttachInfo;
  readonly attachZxid: Zxid;
  readonly lastActZxid: Zxid;
  readonly lastWriteSeq: WriteSeq | 0;
  readonly ackedSeq: WriteSeq | 0;
}

/** What the image holds of a session: the record and one more for each remembered reply. */
export interface SessionImage extends SessionRecord {
  readonly replies: readonly RememberedReply[];
}

/** A live session. */
export interface Session {
  readonly id: SessionId;
  readonly verifier: Uint8Array;
  timeoutMs: number;
  epoch: number;
  attach: AttachInfo;
  attachZxid: Zxid;
  lastActZxid: Zxid;
  lastWriteSeq: WriteSeq | 0;
  ackedSeq: WriteSeq | 0;
  readonly window: ReplyWindow;
  /** Paths of its ephemerals. */
  readonly ephemerals: SortedNames;
  /** Hash lanes of what an attach sets, and of all of it (replies apart) as the digest has it. */
  attachA: number;
  attachB: number;
  sumA: number;
  sumB: number;
  isRemoved: boolean;
  mark: Mark<Session, SessionImage> | null;
  /** The image holds replies of numbers above `imagedAcked` up to `imagedLast`. */
  imagedAcked: WriteSeq | 0;
  imagedLast: WriteSeq | 0;
}

const SESSION_BYTES = 1500;

/** A session that is in no table and no sum yet. Its record is taken over, not copied. */
export function makeSession(id: SessionId, record: SessionRecord): Session {
  assert(id > 0, "session_id_positive");
  assert(record.epoch > 0, "attached_once_at_least");
  assert(record.ackedSeq <= record.lastWriteSeq, "acked_what_was_written");
  return {
    id,
    verifier: record.verifier,
    timeoutMs: record.timeoutMs,
    epoch: record.epoch,
    attach: record.attach,
    attachZxid: record.attachZxid,
    lastActZxid: record.lastActZxid,
    lastWriteSeq: record.lastWriteSeq,
    ackedSeq: record.ackedSeq,
    window: new ReplyWindow(),
    ephemerals: new SortedNames(),
    attachA: 0,
    attachB: 0,
    sumA: 0,
    sumB: 0,
    isRemoved: false,
    mark: null,
    imagedAcked: 0,
    imagedLast: 0,
  };
}

export function sessionImage(session: Session): SessionImage {
  const unacked = session.lastWriteSeq - session.ackedSeq;
  assert(session.window.count === unacked, "window_holds_the_unacknowledged");
  assert(session.attachZxid <= session.lastActZxid, "attaching_is_an_act");
  return {
    timeoutMs: session.timeoutMs,
    verifier: session.verifier,
    epoch: session.epoch,
    attach: session.attach,
    attachZxid: session.attachZxid,
    lastActZxid: session.lastActZxid,
    lastWriteSeq: session.lastWriteSeq,
    ackedSeq: session.ackedSeq,
    replies: session.window.toArray(),
  };
}

export function sessionView(session: Session): SessionView {
  assert(!session.isRemoved, "only_live_sessions_are_seen");
  return {
    id: session.id,
    timeoutMs: session.timeoutMs,
    epoch: session.epoch,
    lastWriteSeq: session.lastWriteSeq,
    ackedSeq: session.ackedSeq,
    attachZxid: session.attachZxid,
    lastActZxid: session.lastActZxid,
    attach: session.attach,
    ephemeralCount: session.ephemerals.size,
  };
}

/** Bytes that a session counts for, its replies and ephemerals apart. */
export function sessionBytes(attach: AttachInfo): number {
  const units = attach.address.length + attach.principal.length + attach.clientName.length;
  return SESSION_BYTES + 2 * units;
}

/** Brings the lanes of what an attach sets up to date. */
export function hashAttach(hasher: Hasher, session: Session): void {
  const attach = session.attach;
  assert(session.epoch > 0, "attached_once_at_least");
  hasher.begin(ITEM.attach);
  hasher.number(session.id);
  hasher.bytes(session.verifier);
  hasher.number(session.timeoutMs);
  hasher.number(session.epoch);
  hasher.number(session.attachZxid);
  hasher.number(attach.node);
  hasher.string(attach.address);
  hasher.string(attach.principal);
  hasher.string(attach.clientName);
  hasher.end();
  session.attachA = hasher.a;
  session.attachB = hasher.b;
}

/** Brings the session's sum up to date; what an attach sets must be hashed. */
export function sumSession(hasher: Hasher, session: Session): void {
  assert(session.ackedSeq <= session.lastWriteSeq, "acked_what_was_written");
  hasher.begin(ITEM.session);
  hasher.word(session.attachA);
  hasher.word(session.attachB);
  hasher.number(session.lastActZxid);
  hasher.number(session.lastWriteSeq);
  hasher.number(session.ackedSeq);
  hasher.end();
  session.sumA = hasher.a;
  session.sumB = hasher.b;
}

/** Everything of it: for a session of which nothing is hashed yet, or that is attached anew. */
export function hashSession(hasher: Hasher, session: Session): void {
  hashAttach(hasher, session);
  sumSession(hasher, session);
}
