import type { ApplyOutcome, ApplyResult, Change, Grant } from "./apply-outcome.ts";
import { assert } from "./assert.ts";
import type { Command } from "./command.ts";
import { applyOp } from "./ops/op.ts";
import {
  type ErrorCode,
  PROTOCOL_LIMITS,
  type WriteOutcome,
  type WriteReply,
  type WriteSeq,
} from "./protocol/index.ts";
import { rememberedReply } from "./reply-window.ts";
import { sumSession, type Session } from "./session.ts";
import type { Committed, Transaction } from "./transaction.ts";

type WriteCommand = Extract<Command, { readonly kind: "write" }>;

const NO_CHANGES: readonly Change[] = [];
const NO_GRANTS: readonly Grant[] = [];
const NOTHING: Committed = { changes: NO_CHANGES, grants: NO_GRANTS };

/** When and where a command stands. */
export interface EntryHead {
  readonly zxid: ApplyOutcome["zxid"];
  readonly term: number;
  readonly timeMs: number;
}

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
  if (session === undefined) return refused(zxid, command, "SESSION_EXPIRED");
  if (command.epoch !== 0 && command.epoch < session.epoch) {
    return refused(zxid, command, "SESSION_MOVED");
  }
  if (writeSeq <= session.lastWriteSeq) return repeated(transaction, head, session, command);
  const lastWriteSeq = session.lastWriteSeq;
  if (writeSeq !== lastWriteSeq + 1) {
    return skipped(zxid, command, { reason: "gap", lastWriteSeq });
  }
  const ackedSeq = ackedSeqOf(session, command);
  if (isWindowFull(session, ackedSeq)) {
    return skipped(zxid, command, { reason: "windowFull", lastWriteSeq });
  }
  const { outcome, committed } = applyOps(transaction, head, command);
  remember(transaction, session, { writeSeq, ackedSeq, outcome });
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
  if (remembered === undefined) return refused(head.zxid, command, "BAD_ARGUMENTS");
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
  const claimed = command.ackedSeq > session.lastWriteSeq ? session.lastWriteSeq : command.ackedSeq;
  return claimed > session.ackedSeq ? claimed : session.ackedSeq;
}

function isWindowFull(session: Session, ackedSeq: WriteSeq | 0): boolean {
  assert(ackedSeq <= session.lastWriteSeq, "acked_what_was_written");
  if (session.lastWriteSeq - ackedSeq >= PROTOCOL_LIMITS.outstandingMax) return true;
  const { window } = session;
  if (window.bytes < PROTOCOL_LIMITS.outstandingBytesMax) return false;
  return window.bytesAfter(ackedSeq) >= PROTOCOL_LIMITS.outstandingBytesMax;
}

function applyOps(
  transaction: Transaction,
  head: EntryHead,
  command: WriteCommand,
): { readonly outcome: WriteOutcome; readonly committed: Committed } {
  const { zxid, timeMs } = head;
  const { ops, session } = command;
  if (ops.length > PROTOCOL_LIMITS.opsMax) {
    return { outcome: { ok: false, zxid, code: "TOO_LARGE", opIndex: -1 }, committed: NOTHING };
  }
  if (ops.length === 0) return { outcome: { ok: true, zxid, replies: [] }, committed: NOTHING };
  transaction.begin({ zxid, timeMs, author: session }, ops.length > 1);
  const replies: WriteReply[] = [];
  for (const op of ops) {
    const reply = applyOp(transaction, op);
    if (typeof reply === "string") {
      transaction.rollBack();
      const outcome = { ok: false, zxid, code: reply, opIndex: replies.length } as const;
      return { outcome, committed: NOTHING };
    }
    replies.push(reply);
  }
  return { outcome: { ok: true, zxid, replies }, committed: transaction.commit() };
}

/** The write takes its number, whatever became of it, and its outcome stays until it is acknowledged. */
function remember(
  transaction: Transaction,
  session: Session,
  done: {
    readonly writeSeq: WriteSeq;
    readonly ackedSeq: WriteSeq | 0;
    readonly outcome: WriteOutcome;
  },
): void {
  const { state } = transaction;
  const { digest, hasher } = state;
  assert(done.writeSeq === session.lastWriteSeq + 1, "write_seq_consecutive");
  state.dirtySessions.touch(session);
  digest.subtract(session.sumA, session.sumB);
  session.lastWriteSeq = done.writeSeq;
  session.ackedSeq = done.ackedSeq;
  session.lastActZxid = done.outcome.zxid;
  sumSession(hasher, session);
  digest.add(session.sumA, session.sumB);
  const countBefore = session.window.count;
  state.bytes -= session.window.forget(done.ackedSeq, digest);
  const reply = rememberedReply(hasher, session.id, done.writeSeq, done.outcome);
  session.window.push(reply);
  state.bytes += reply.bytes;
  state.replyCount += session.window.count - countBefore;
  digest.add(reply.sumA, reply.sumB);
}
