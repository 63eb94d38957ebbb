import type { ApplyOutcome, ApplyResult } from "./apply-outcome.ts";
import { unchanged } from "./apply-write.ts";
import { assert } from "./assert.ts";
import type { AttachInfo, Command } from "./command.ts";
import { reached } from "./points.ts";
import { PROTOCOL_LIMITS, type SessionId, sessionId, type Zxid } from "./protocol/index.ts";
import { beyondOwn } from "./reply-room.ts";
import { hashSession, makeSession, sessionBytes, type Session } from "./session.ts";
import type { EntryHead, Transaction } from "./transaction.ts";
import type { TreeState } from "./tree-state.ts";

type OpenCommand = Extract<Command, { readonly kind: "openSession" }>;
type AttachCommand = Extract<Command, { readonly kind: "attach" }>;
type ExpireCommand = Extract<Command, { readonly kind: "expireSessions" }>;

/** Sessions that one entry may end. */
export const EXPIRED_MAX = 1000;

const NO_AUTHOR = 0;

/** Opens a session; where one with this verifier lives, the client's first answer was lost, and it attaches. */
export function applyOpenSession(
  state: TreeState,
  head: EntryHead,
  command: OpenCommand,
): ApplyOutcome {
  const { zxid } = head;
  const { verifier, attach } = command;
  const living = state.sessions.withVerifier(verifier);
  if (living !== undefined) {
    reached("session_opening_repeated");
    return attachTo(state, zxid, living, command);
  }
  const { sessionsMax } = state.limits;
  // The bytes of the tree are no reason: who comes to delete what fills it needs a session.
  if (state.sessions.size >= sessionsMax) {
    reached("session_refused_too_many");
    return unchanged(zxid, {
      kind: "attachRefused",
      session: 0,
      verifier,
      code: "TREE_FULL",
    });
  }
  const session = makeSession(sessionId(zxid), {
    verifier: verifier.slice(),
    timeoutMs: clampTimeout(command.timeoutMs),
    epoch: 1,
    attach: copyAttach(attach),
    attachZxid: zxid,
    lastActZxid: zxid,
    lastWriteSeq: 0,
    ackedSeq: 0,
  });
  state.sessions.add(session);
  hashSession(state.hasher, session);
  state.digest.add(session.sumA, session.sumB);
  state.bytes += sessionBytes(attach);
  assert(state.sessions.size <= sessionsMax, "sessions_bounded");
  state.dirtySessions.add(session);
  return unchanged(zxid, attached(session, true));
}

/** (Re)attaches a session to a node: its connection epoch rises. */
export function applyAttach(
  state: TreeState,
  head: EntryHead,
  command: AttachCommand,
): ApplyOutcome {
  const session = state.sessions.get(command.session);
  if (session === undefined || !isEqual(session.verifier, command.verifier)) {
    reached("attach_refused_session_gone");
    return unchanged(head.zxid, {
      kind: "attachRefused",
      session: command.session,
      verifier: command.verifier,
      code: "SESSION_EXPIRED",
    });
  }
  return attachTo(state, head.zxid, session, command);
}

/** Ends a session at its client's wish. */
export function applyCloseSession(
  transaction: Transaction,
  head: EntryHead,
  id: SessionId,
): ApplyOutcome {
  const session = transaction.state.sessions.get(id);
  if (session === undefined) reached("session_closed_twice");
  const ending = session === undefined ? [] : [session];
  return endSessions(transaction, head, { ending, author: id, cause: "client" });
}

/**
 * Ends the sessions that a leader found silent; ignored in another term's entry, and for every session that did
 * something the leader did not know of.
 */
export function applyExpireSessions(
  transaction: Transaction,
  head: EntryHead,
  command: ExpireCommand,
): ApplyOutcome {
  const ending: Session[] = [];
  if (head.term === command.term) {
    for (const id of command.sessions.slice(0, EXPIRED_MAX)) {
      const session = transaction.state.sessions.get(id);
      if (session === undefined) {
        reached("expiry_of_session_already_gone");
        continue;
      }
      if (session.lastActZxid > command.basis) {
        reached("expiry_spared_session_that_acted");
        continue;
      }
      if (!ending.includes(session)) ending.push(session);
    }
  } else {
    reached("expiry_of_other_term_ignored");
  }
  if (ending.length > 1) reached("several_sessions_expired_at_once");
  assert(ending.length <= EXPIRED_MAX, "expiry_bounded");
  return endSessions(transaction, head, { ending, author: NO_AUTHOR, cause: "expired" });
}

function attachTo(
  state: TreeState,
  zxid: Zxid,
  session: Session,
  command: OpenCommand | AttachCommand,
): ApplyOutcome {
  assert(!session.isRemoved, "attached_session_lives");
  state.dirtySessions.touch(session);
  state.digest.subtract(session.sumA, session.sumB);
  state.bytes += sessionBytes(command.attach) - sessionBytes(session.attach);
  session.epoch += 1;
  session.timeoutMs = clampTimeout(command.timeoutMs);
  if (session.attach.node !== command.attach.node) reached("session_moved_to_other_node");
  session.attach = copyAttach(command.attach);
  session.attachZxid = zxid;
  session.lastActZxid = zxid;
  hashSession(state.hasher, session);
  state.digest.add(session.sumA, session.sumB);
  assert(session.epoch > 1, "attach_raises_epoch");
  return unchanged(zxid, attached(session, false));
}

function attached(session: Session, opened: boolean): ApplyResult {
  return {
    kind: "attached",
    session: session.id,
    verifier: session.verifier,
    opened,
    epoch: session.epoch,
    timeoutMs: session.timeoutMs,
    lastWriteSeq: session.lastWriteSeq,
    node: session.attach.node,
  };
}

/** Everything of all of them goes in one change set, and each lock passes on once. */
function endSessions(
  transaction: Transaction,
  head: EntryHead,
  end: {
    readonly ending: readonly Session[];
    readonly author: SessionId | 0;
    readonly cause: "client" | "expired";
  },
): ApplyOutcome {
  const { state } = transaction;
  const { zxid } = head;
  transaction.begin(head, end.author, false);
  for (const session of end.ending) {
    for (const path of deepestFirst(session.ephemerals)) {
      const node = state.nodes.get(path);
      assert(node !== undefined, "listed_ephemeral_exists", () => path);
      reached("ephemeral_ended_with_its_session");
      transaction.remove(node);
    }
    assert(session.ephemerals.size === 0, "no_ephemeral_outlives_its_session");
    state.dirtySessions.touch(session);
    session.isRemoved = true;
    state.dirtySessions.remove(session);
    state.sessions.delete(session);
    state.digest.subtract(session.sumA, session.sumB);
    state.bytes -= sessionBytes(session.attach);
    if (session.window.count > 0) reached("session_ended_with_unacknowledged_replies");
    state.replyCount -= session.window.count;
    state.commonReplyBytes -= beyondOwn(session.window.bytes);
    state.bytes -= session.window.forget(session.lastWriteSeq, state.digest);
  }
  const { changes, grants } = transaction.commit();
  assert(state.replyCount >= 0 && state.bytes >= 0, "ended_sessions_counted");
  assert(state.commonReplyBytes >= 0, "ended_sessions_counted");
  const sessions = end.ending.map((session) => session.id);
  return { zxid, changes, grants, result: { kind: "closed", sessions, cause: end.cause } };
}

/** Paths sorted by depth, the greatest first, then by code unit. */
function deepestFirst(paths: Iterable<string>): readonly string[] {
  const keyed = Array.from(paths, (path) => ({ path, depth: path.split("/").length }));
  // The paths come ascending and the sort is stable.
  return keyed.sort((a, b) => b.depth - a.depth).map((item) => item.path);
}

function clampTimeout(timeoutMs: number): number {
  const { sessionTimeoutMinMs, sessionTimeoutMaxMs } = PROTOCOL_LIMITS;
  // Written so that what is no number at all gives the least.
  if (!(timeoutMs > sessionTimeoutMinMs)) {
    reached("session_timeout_raised");
    return sessionTimeoutMinMs;
  }
  if (timeoutMs > sessionTimeoutMaxMs) reached("session_timeout_lowered");
  const clamped = Math.min(Math.floor(timeoutMs), sessionTimeoutMaxMs);
  assert(clamped >= sessionTimeoutMinMs, "session_timeout_bounded");
  return clamped;
}

/** The strings are the decoder's own; the record is rebuilt so that nothing else of the command stays. */
function copyAttach(attach: AttachInfo): AttachInfo {
  const { node, address, principal, clientName } = attach;
  return { node, address, principal, clientName };
}

/** In a time that tells nothing of where they differ. */
function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let difference = 0;
  for (let i = 0; i < left.length; i += 1) difference |= (left[i] ?? 0) ^ (right[i] ?? 0);
  return difference === 0;
}
