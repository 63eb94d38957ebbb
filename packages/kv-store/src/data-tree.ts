import type { ApplyOutcome } from "./apply-outcome.ts";
import {
  applyAttach,
  applyCloseSession,
  applyExpireSessions,
  applyOpenSession,
} from "./apply-session.ts";
import { applyWrite } from "./apply-write.ts";
import { assert, unreachable } from "./assert.ts";
import type { ChangesSince } from "./change-log.ts";
import { beginCheckpoint, forgetImage, type Checkpoint } from "./checkpoint.ts";
import type { Command, CommandStamp } from "./command.ts";
import { DIGEST_DIGITS } from "./digest.ts";
import type { TreeLimits } from "./limits.ts";
import { reached } from "./points.ts";
import type { Query, QueryReply, Result, SessionId, Zxid } from "./protocol/index.ts";
import { answer } from "./queries.ts";
import { recomputedSum } from "./recompute-digest.ts";
import type { SessionView } from "./session-view.ts";
import { sessionView } from "./session.ts";
import { type EntryHead, Transaction } from "./transaction.ts";
import { newState, renderDigest, type TreeState } from "./tree-state.ts";

/** The replicated clock moves at most this far with one command, whatever its stamp says. */
const CLOCK_STEP_MAX_MS = 60_000;

/**
 * The replicated state machine: znodes, sessions, locks, reply windows and the change log. Pure and synchronous: the
 * same commands give the same state, outcome by outcome, on every replica.
 */
export class DataTree {
  readonly #state: TreeState;
  readonly #transaction: Transaction;

  /** `state`: of a loaded image; default an empty tree before the first entry. */
  constructor(limits: TreeLimits, state: TreeState = newState(limits)) {
    assert(state.limits === limits, "limits_of_the_state");
    this.#state = state;
    this.#transaction = new Transaction(state);
  }

  /** What every command is measured by. */
  get limits(): TreeLimits {
    return this.#state.limits;
  }

  /** Revision of the last entry applied or skipped. */
  get lastZxid(): Zxid | 0 {
    return this.#state.lastZxid;
  }

  /** Replicated clock, ms: only rises, by at most 60 s with each command. */
  get clockMs(): number {
    return this.#state.clockMs;
  }

  /** Znodes, "/" included. */
  get nodeCount(): number {
    return this.#state.nodes.size;
  }

  get sessionCount(): number {
    return this.#state.sessions.size;
  }

  /** Counted size of the state, the same on every replica; `TreeLimits.bytesMax` bounds it, remembered replies apart. */
  get approximateBytes(): number {
    return this.#state.bytes;
  }

  /** Applies the entry at `zxid`, appended in `term`. Total: never throws for any content of a command. */
  apply(zxid: Zxid, term: number, stamp: CommandStamp, command: Command): ApplyOutcome {
    this.#advance(zxid);
    this.#advanceClock(stamp.clockMs);
    const head: EntryHead = { zxid, term, timeMs: stamp.timeMs };
    const outcome = this.#dispatch(head, command);
    assert(outcome.zxid === zxid && !this.#transaction.isOpen, "entry_applied_whole");
    assert(this.#state.lastZxid === zxid, "one_entry_at_a_time");
    const { changes, grants } = outcome;
    assert(grants.length === 0 || changes.length > 0, "grants_come_of_changes");
    if (changes.length > 0) this.#state.changeLog.append(changes);
    return outcome;
  }

  /** An entry that is no command took this revision; nothing else changes. */
  skipTo(zxid: Zxid): void {
    this.#advance(zxid);
  }

  /** Answers from the state as it is. Codes: BAD_PATH, NO_NODE. */
  read(query: Query): Result<QueryReply> {
    const result = answer(this.#state, query);
    assert(!result.ok || result.value.kind === query.kind, "answer_of_the_kind_asked_for");
    return result;
  }

  session(id: SessionId): SessionView | undefined {
    const session = this.#state.sessions.get(id);
    assert(session === undefined || session.id === id, "session_where_its_id_says");
    return session === undefined ? undefined : sessionView(session);
  }

  /** Ascending by id; only good until the next apply. */
  *sessions(): IterableIterator<SessionView> {
    for (const session of this.#state.sessions.values()) yield sessionView(session);
  }

  /** Every change after `zxid`; the iterable is only good until the next apply. */
  changesSince(zxid: Zxid | 0): ChangesSince {
    const since = this.#state.changeLog.since(zxid);
    assert(since.ok || since.oldestZxid > zxid, "lost_only_what_is_older");
    return since;
  }

  /**
   * 16 hex digits over everything replicated: znodes, sessions, reply windows, clock and limits; not the change log,
   * whose bounds are each replica's own. Two replicas agree at equal revisions.
   */
  digest(): string {
    const digest = renderDigest(this.#state, this.#state.digest);
    assert(digest.length === DIGEST_DIGITS, "digest_in_sixteen_digits");
    return digest;
  }

  /** The digest from scratch: equal to {@link digest} unless memory or code went wrong. Walks everything. */
  recomputeDigest(): string {
    return renderDigest(this.#state, recomputedSum(this.#state));
  }

  /**
   * The image is lost: the next checkpoint is of everything, for a new image, and the old one is never written to again. Not
   * while a checkpoint is under way. Takes about as long as counting all znodes.
   */
  forgetImage(): void {
    assert(!this.#transaction.isOpen, "forgotten_between_entries");
    forgetImage(this.#state);
  }

  /** Fixes the state as it is now for a checkpoint; only one at a time. */
  freeze(): Checkpoint {
    assert(!this.#transaction.isOpen, "frozen_between_entries");
    return beginCheckpoint(this.#state);
  }

  #dispatch(head: EntryHead, command: Command): ApplyOutcome {
    switch (command.kind) {
      case "write":
        return applyWrite(this.#transaction, head, command);
      case "openSession":
        return applyOpenSession(this.#state, head, command);
      case "attach":
        return applyAttach(this.#state, head, command);
      case "closeSession":
        return applyCloseSession(this.#transaction, head, command.session);
      case "expireSessions":
        return applyExpireSessions(this.#transaction, head, command);
      default:
        return unreachable(command);
    }
  }

  #advance(zxid: Zxid): void {
    assert(Number.isSafeInteger(zxid), "zxid_safe_integer");
    assert(zxid > this.#state.lastZxid, "zxid_rises");
    this.#state.lastZxid = zxid;
  }

  #advanceClock(clockMs: number): void {
    const before = this.#state.clockMs;
    if (!(clockMs > before)) {
      if (clockMs < before) reached("replicated_clock_held_back");
      return;
    }
    if (clockMs - before > CLOCK_STEP_MAX_MS) reached("replicated_clock_step_bounded");
    this.#state.clockMs = Math.min(Math.floor(clockMs), before + CLOCK_STEP_MAX_MS);
    assert(this.#state.clockMs >= before, "clock_never_back");
  }
}
