import type { ApplyOutcome, ApplyResult, Change, Grant } from "./apply-outcome.ts";
import { assert } from "./assert.ts";
import type { Command } from "./command.ts";
import { applyOp } from "./ops/op.ts";
import { reached } from "./points.ts";
import {
  type ErrorCode,
  PROTOCOL_LIMITS,
  type WriteOp,
  type WriteOutcome,
  type WriteReply,
  type WriteSeq,
  writeSeq,
} from "./protocol/index.ts";
import { beyondOwn, hasCommonRoom, hasWindowRoom } from "./reply-room.ts";
import { rememberedReply } from "./reply-window.ts";
import { sumSession, type Session } from "./session.ts";
import type { Committed, EntryHead, Transaction } from "./transaction.ts";
import type { TreeState } from "./tree-state.ts";

type WriteCommand = Extract<Command, { readonly kind: "write" }>;

const NO_CHANGES: readonly Change[] = [];
const NO_GRANTS: readonly Grant[] = [];
const NOTHING: Committed = { changes: NO_CHANGES, grants: NO_GRANTS };
const NO_REPLIES: readonly WriteReply[] = [];

/** An outcome of an entry that changed no znode. */
export function unchanged(zxid: ApplyOutcome["zxid"], result: ApplyResult): ApplyOutcome {
  return { zxid, changes: NO_CHANGES, grants: NO_GRANTS, result };
}

/**
 * Applies one write of a session exactly once: only the number after the last one is applied, an earlier one is
 * answered from the window, a later one is left for the session's node to resend.
 */
export function applyWrite(
  transaction: Transaction,
  head: EntryHead,
  command: WriteCommand,
): ApplyOutcome {
  const { zxid } = head;
  const { writeSeq } = command;
  const session = transaction.state.sessions.get(command.session);
  if (session === undefined) {
    reached("write_of_session_gone");
    return refused(zxid, command, "SESSION_EXPIRED");
  }
  if (command.epoch !== 0 && command.epoch < session.epoch) {
    reached("write_of_connection_before");
    return refused(zxid, command, "SESSION_MOVED");
  }
  if (writeSeq <= session.lastWriteSeq) return repeated(transaction, head, session, command);
  const lastWriteSeq = session.lastWriteSeq;
  if (writeSeq !== lastWriteSeq + 1) {
    reached("write_after_gap_skipped");
    return skipped(zxid, command, { reason: "gap", lastWriteSeq });
  }
  const ackedSeq = ackedSeqOf(session, command);
  if (isWindowFull(transaction.state, session, ackedSeq, command.ops)) {
    reached("write_skipped_window_full");
    return skipped(zxid, command, { reason: "windowFull", lastWriteSeq });
  }
  const outcome = runOps(transaction, head, command);
  remember(transaction.state, session, ackedSeq, outcome);
  // Whatever was rolled back is no longer open, and nothing was begun for no ops.
  const committed = transaction.isOpen ? transaction.commit() : NOTHING;
  assert(session.lastWriteSeq === writeSeq, "write_took_its_number");
  assert(outcome.ok || committed.changes.length === 0, "failed_write_changes_nothing");
  return {
    zxid,
    changes: committed.changes,
    grants: committed.grants,
    result: { kind: "write", session: session.id, writeSeq, fresh: true, outcome },
  };
}

function refused(zxid: ApplyOutcome["zxid"], command: WriteCommand, code: ErrorCode): ApplyOutcome {
  const { session, writeSeq } = command;
  return unchanged(zxid, { kind: "writeRefused", session, writeSeq, code });
}

function skipped(
  zxid: ApplyOutcome["zxid"],
  command: WriteCommand,
  why: { readonly reason: "gap" | "windowFull"; readonly lastWriteSeq: WriteSeq | 0 },
): ApplyOutcome {
  const { session, writeSeq } = command;
  const { reason, lastWriteSeq } = why;
  return unchanged(zxid, { kind: "writeSkipped", session, writeSeq, reason, lastWriteSeq });
}

/** A repeat shows that the session's client lives, and changes nothing else. */
function repeated(
  transaction: Transaction,
  head: EntryHead,
  session: Session,
  command: WriteCommand,
): ApplyOutcome {
  const { writeSeq } = command;
  const remembered = session.window.get(writeSeq);
  assert(writeSeq <= session.lastWriteSeq, "repeat_of_what_was_written");
  if (remembered === undefined) {
    reached("repeat_of_acknowledged_write");
    return refused(head.zxid, command, "BAD_ARGUMENTS");
  }
  reached("reply_from_window");
  const { dirtySessions, digest, hasher } = transaction.state;
  dirtySessions.touch(session);
  digest.subtract(session.sumA, session.sumB);
  session.lastActZxid = head.zxid;
  sumSession(hasher, session);
  digest.add(session.sumA, session.sumB);
  const { outcome } = remembered;
  return unchanged(head.zxid, {
    kind: "write",
    session: session.id,
    writeSeq,
    fresh: false,
    outcome,
  });
}

/** Never beyond what was answered, and never back. */
function ackedSeqOf(session: Session, command: WriteCommand): WriteSeq | 0 {
  if (command.ackedSeq > session.lastWriteSeq) reached("acknowledged_more_than_written");
  const claimed = command.ackedSeq > session.lastWriteSeq ? session.lastWriteSeq : command.ackedSeq;
  const acked = claimed > session.ackedSeq ? claimed : session.ackedSeq;
  assert(acked >= session.ackedSeq, "acked_never_back");
  return acked;
}

/** Nothing of the write is applied if it is: its client sends it again, with what it has acknowledged by then. */
function isWindowFull(
  state: TreeState,
  session: Session,
  ackedSeq: WriteSeq | 0,
  ops: readonly WriteOp[],
): boolean {
  assert(ackedSeq <= session.lastWriteSeq, "acked_what_was_written");
  if (session.lastWriteSeq - ackedSeq >= PROTOCOL_LIMITS.outstandingMax) return true;
  const isFull =
    !hasWindowRoom(session.window, ackedSeq) || !hasCommonRoom(state, session, ackedSeq, ops);
  if (isFull) reached("window_full_of_bytes");
  return isFull;
}

/** Leaves the transaction open where there is something to commit. */
function runOps(transaction: Transaction, head: EntryHead, command: WriteCommand): WriteOutcome {
  const { zxid } = head;
  const { ops, session } = command;
  const first = ops[0];
  if (first === undefined) {
    reached("write_without_ops");
    return { ok: true, zxid, replies: NO_REPLIES };
  }
  if (ops.length > PROTOCOL_LIMITS.opsMax) {
    reached("write_of_too_many_ops");
    return { ok: false, zxid, code: "TOO_LARGE", opIndex: -1 };
  }
  transaction.begin(head, session, ops.length > 1);
  const reply = applyOp(transaction, first);
  if (typeof reply === "string") return failed(transaction, reply, 0);
  const replies = [reply];
  for (let i = 1; i < ops.length; i += 1) {
    const op = ops[i];
    assert(op !== undefined, "ops_without_holes");
    const next = applyOp(transaction, op);
    if (typeof next === "string") return failed(transaction, next, i);
    replies.push(next);
  }
  return { ok: true, zxid, replies };
}

function failed(transaction: Transaction, code: ErrorCode, opIndex: number): WriteOutcome {
  if (opIndex > 0) reached("multi_undone_after_earlier_ops");
  transaction.rollBack();
  assert(!transaction.isOpen, "rolled_back_whole");
  return { ok: false, zxid: transaction.zxid, code, opIndex };
}

/** The write takes its number, whatever became of it, and its outcome stays until it is acknowledged. */
function remember(
  state: TreeState,
  session: Session,
  ackedSeq: WriteSeq | 0,
  outcome: WriteOutcome,
): void {
  const { digest, hasher } = state;
  const { window } = session;
  state.dirtySessions.touch(session);
  digest.subtract(session.sumA, session.sumB);
  session.lastWriteSeq = writeSeq(session.lastWriteSeq + 1);
  session.ackedSeq = ackedSeq;
  session.lastActZxid = outcome.zxid;
  sumSession(hasher, session);
  digest.add(session.sumA, session.sumB);
  const countBefore = window.count;
  const commonBefore = beyondOwn(window.bytes);
  const forgotten = window.forget(ackedSeq, digest);
  const reply = rememberedReply(hasher, session.id, session.lastWriteSeq, outcome);
  window.push(reply);
  state.bytes += reply.bytes - forgotten;
  state.replyCount += window.count - countBefore;
  state.commonReplyBytes += beyondOwn(window.bytes) - commonBefore;
  assert(window.count === session.lastWriteSeq - ackedSeq, "window_holds_the_unacknowledged");
  digest.add(reply.sumA, reply.sumB);
}
