import {
  PROTOCOL_LIMITS,
  type ClientMessage,
  type ErrorCode,
  type ServerMessage,
} from "@quorate/kv-store/protocol";
import { Acknowledgement } from "./acknowledgement.ts";
import type { CallOptions } from "./api.ts";
import { Backoff } from "./backoff.ts";
import type { PendingRead, PendingWrite } from "./call.ts";
import { checkCallOptions, type Cancellations } from "./cancellations.ts";
import { QuorateError } from "./errors.ts";
import {
  abandonment,
  endOf,
  isPassing,
  readFailure,
  writeFailure,
  type AbandonCode,
} from "./failure.ts";
import { Fifo } from "./fifo.ts";
import { reached } from "./points.ts";
import type { ClientClock, ClientRandom, Timer } from "./ports.ts";
import { WriteWindow } from "./write-window.ts";

type WriteReplyMessage = Extract<ServerMessage, { readonly kind: "writeReply" }>;
type ReadReplyMessage = Extract<ServerMessage, { readonly kind: "readReply" }>;
type RefusedMessage = Extract<ServerMessage, { readonly kind: "refused" }>;

/** Takes a message for the current frame; `bytes` is what it needs there at most. */
export type Send = (message: ClientMessage, bytes: number) => void;

export interface RequestTablePorts {
  readonly clock: ClientClock;
  readonly random: ClientRandom;
  readonly cancellations: Cancellations;
  /** Asks for a `flush` at the end of the turn. */
  readonly wake: () => void;
  /** Why nothing is answered for now, as far as the session knows. */
  readonly trouble: () => QuorateError | undefined;
}

/** Calls that may wait in the client because the session's window at the service is full or there is no connection. */
export const QUEUE_COUNT_MAX = 65_536;
/** Their bytes. */
export const QUEUE_BYTES_MAX = 67_108_864;

/**
 * What an idle session may leave of its answers at the service, bytes: fewer are not worth an entry in its log, and so much is
 * each session's own there.
 */
const UNACKNOWLEDGED_BYTES_MAX = 4_096;
/** Pauses after refusals, added to what the server asks for: most overloads last a moment. */
const REFUSED_BACKOFF = { firstMs: 20, capMs: 2_000 };
/** More is not granted to a server that asks for it: it may be wrong about when it will do, and asking costs little. */
const RETRY_AFTER_MAX_MS = 2_000;
/** Writes sent after a refusal before the first of them is answered: what may be refused again should cost little. */
const PROBE_WRITES = 16;

/**
 * Every call from when it is made until it is answered, in the order of the calls: those that wait for their turn, the
 * numbered writes and the reads under way. What was sent is kept and sent again on the next connection, so that each
 * call is answered exactly once however many connections that takes. While writes are held back after a refusal, later
 * calls of either kind wait behind them: a session's calls take effect in their order.
 */
export class RequestTable {
  readonly #ports: RequestTablePorts;
  readonly #queue = new Fifo<PendingWrite | PendingRead>();
  /** Reads of the client itself: they pass by all others and wait for no write. */
  readonly #urgent = new Fifo<PendingRead>();
  readonly #writes = new WriteWindow();
  /** Under way, by cxid, in the order of sending. */
  readonly #reads = new Map<number, PendingRead>();
  #readBytes = 0;
  /** Reads that were sent and have to be sent again. */
  #readsAgain: PendingRead[] = [];
  /** Reads under way whose answers will not count. Nothing behind them is sent before the last of these answers is there. */
  #overtaking = 0;
  #cxid = 0;
  readonly #refusedBackoff: Backoff;
  /** Runs while writes are held back after a refusal. */
  #holdTimer: Timer | null = null;
  /** The refusal that has not been overcome yet. */
  #refusal: { readonly fromSeq: number; readonly code: ErrorCode } | null = null;

  constructor(ports: RequestTablePorts) {
    this.#ports = ports;
    this.#refusedBackoff = new Backoff(REFUSED_BACKOFF, ports.random);
  }

  /** A number that correlates a request with its reply; never given twice. */
  nextCxid(): number {
    this.#cxid += 1;
    return this.#cxid;
  }

  /** Takes a call. If too many wait already it fails with OVERLOADED; codes of bad options as `checkCallOptions`. */
  submit(call: PendingWrite | PendingRead, options: CallOptions | undefined): void {
    const { count, bytes } = this.#queue;
    const error =
      count >= QUEUE_COUNT_MAX || bytes + call.bytes > QUEUE_BYTES_MAX
        ? new QuorateError("OVERLOADED", "too many calls wait already", { retryable: true })
        : checkCallOptions(options);
    if (error !== null) {
      call.fail(error);
      return;
    }
    this.#limit(call, options);
    this.submitAlways(call);
  }

  /** Takes a call whatever waits: for the few that give something back. */
  submitAlways(call: PendingWrite | PendingRead): void {
    this.#queue.push(call);
    this.#ports.wake();
  }

  /**
   * A read of the client's own, sent before all others; their number is bounded by what they ask about. Codes of bad options
   * as `checkCallOptions`.
   */
  submitUrgent(call: PendingRead, options: CallOptions | undefined): void {
    const error = checkCallOptions(options);
    if (error !== null) {
      call.fail(error);
      return;
    }
    call.isUrgent = true;
    this.#limit(call, options);
    this.#urgent.push(call);
    this.#ports.wake();
  }

  /**
   * The caller waits no more, but undoes what the call may have done: one that was never sent fails at once and is forgotten,
   * any other is skipped where it has to be sent again, and settles with its answer. Returns what to tell the caller, to whom
   * nothing stays unknown.
   */
  withdraw(call: PendingWrite, code: AbandonCode, cause: unknown): QuorateError {
    const reason = cause ?? this.#refusalError() ?? this.#ports.trouble();
    const path = call.ops[0]?.path;
    const error = abandonment(code, { outcomeUnknown: false, cause: reason, path });
    if (call.isSettled) return error;
    if (call.writeSeq === 0) {
      reached("unsent_acquire_withdrawn");
      call.fail(error);
      this.#queue.leave(call);
    } else {
      call.abandonedWith = error;
      if (this.#writes.isUnsent(call.writeSeq)) {
        reached("acquire_withdrawn_to_be_skipped");
        call.giveUp ??= error;
      }
    }
    return error;
  }

  /**
   * Called every now and then. A write acknowledges the answers before it; where there is none, and much was answered since
   * the last one, a number without a write does: the service counts what it keeps for this session as part of the tree.
   */
  acknowledge(): void {
    if (this.#writes.unacknowledgedBytes <= UNACKNOWLEDGED_BYTES_MAX) return;
    if (this.#writes.count > 0 || this.#queue.count > 0) return;
    const call = new Acknowledgement();
    if (!this.#writes.hasRoom(call.windowBytes)) return;
    reached("answers_acknowledged_without_a_write");
    this.#writes.append(call);
    this.#ports.wake();
  }

  /**
   * The connection is gone. What was sent on it and not answered has to be sent on the next, and what passes by all others does
   * so there, too.
   */
  detach(): void {
    this.#endHold();
    this.#refusal = null;
    this.#writes.rewindAll();
    this.#skipWithdrawn();
    const unsent = this.#urgent.drain();
    for (const call of this.#reads.values()) {
      call.isOvertaking = false;
      if (call.isSettled) continue;
      reached("read_sent_again_after_reconnect");
      if (call.isUrgent) {
        call.cxid = 0;
        this.#urgent.push(call);
      } else {
        this.#readsAgain.push(call);
      }
    }
    for (const call of unsent) this.#urgent.push(call);
    this.#reads.clear();
    this.#overtaking = 0;
    this.#readBytes = 0;
  }

  /** Sends what may be sent now. */
  flush(send: Send): void {
    this.#flushUrgent(send);
    if (this.#holdTimer !== null) {
      reached("calls_held_back_after_refusal");
      return;
    }
    this.#flushWrites(send);
    if (this.#writes.hasUnsent || this.#refusal !== null || this.#overtaking > 0) return;
    this.#flushReadsAgain(send);
    if (this.#readsAgain.length > 0) return;
    this.#flushQueue(send);
  }

  onWriteReply(message: WriteReplyMessage): void {
    const { writeSeq, outcome } = message;
    const call = this.#writes.answer(writeSeq);
    this.#noteTaken(writeSeq, outcome.ok && outcome.replies.length === 0);
    this.#wakeIfWaiting();
    if (call === null) {
      reached("write_answered_twice");
      return;
    }
    if (call.isSettled) return;
    this.#release(call);
    if (!outcome.ok) {
      call.fail(call.giveUp ?? writeFailure(outcome.code, call.ops, outcome.opIndex));
    } else if (call.giveUp !== null && outcome.replies.length === 0) {
      reached("skipped_write_answered");
      call.fail(call.giveUp);
    } else {
      call.succeed(outcome.zxid, outcome.replies);
    }
  }

  onReadReply(message: ReadReplyMessage): void {
    const { cxid, reply } = message;
    const call = this.#reads.get(cxid);
    if (call === undefined) {
      reached("read_answered_twice");
      return;
    }
    this.#reads.delete(cxid);
    this.#readBytes -= call.bytes;
    const isOvertaking = call.isOvertaking;
    if (isOvertaking) this.#overtaking -= 1;
    call.isOvertaking = false;
    this.#wakeIfWaiting();
    if (call.isSettled) return;
    if (isOvertaking) {
      reached("read_overtook_refused_write");
      this.#readsAgain.push(call);
      this.#ports.wake();
      return;
    }
    this.#release(call);
    if (reply.ok) call.succeed(message.zxid, reply.value);
    else call.fail(readFailure(reply.code, "path" in call.query ? call.query.path : undefined));
  }

  /**
   * Writes from `fromSeq` on were not taken. If that passes they are sent again after a pause; a write that can
   * never be taken, or that nobody waits for any more, is given up and its number skipped, so that those behind it may pass.
   */
  onRefused(message: RefusedMessage): void {
    const { fromSeq, code, retryAfterMs } = message;
    const call = this.#writes.rewind(fromSeq);
    if (call === null) return;
    this.#noteOvertaking(fromSeq);
    const wasGivenUp = call.giveUp !== null;
    if (isPassing(code)) {
      this.#skipAbandoned(code);
    } else if (call.giveUp === null) {
      reached("write_can_never_be_taken");
      call.giveUp = writeFailure(code, call.ops, -1);
    }
    if (!wasGivenUp && call.giveUp !== null) {
      // The skip goes out at once; what stands behind it may be refused as well, and is probed.
      if (isPassing(code)) this.#refusal = { fromSeq, code };
      this.#ports.wake();
      return;
    }
    reached("writes_refused_for_now");
    this.#refusal = { fromSeq, code };
    this.#endHold();
    const askedMs = Math.min(Math.max(0, retryAfterMs), RETRY_AFTER_MAX_MS);
    const pauseMs = askedMs + this.#refusedBackoff.next();
    this.#holdTimer = this.#ports.clock.after(pauseMs, () => {
      this.#holdTimer = null;
      this.#ports.wake();
    });
  }

  /**
   * Of what was refused, that which nobody waits for is not sent again with its ops. A copy may be in some leader's log all the
   * same: then that is what the answer to the skip tells.
   */
  #skipAbandoned(code: ErrorCode): void {
    this.#skipWithdrawn();
    for (const call of this.#writes.unsent()) {
      if (call.giveUp !== null || !call.isSettled) continue;
      reached("abandoned_write_refused");
      call.giveUp = writeFailure(code, call.ops, -1);
    }
  }

  /**
   * Of what has to be sent again, that which is undone anyway is not wanted with its ops. A write that its caller only waits for
   * no more keeps them unless it is refused: it was called for, and may take effect.
   */
  #skipWithdrawn(): void {
    for (const call of this.#writes.unsent()) {
      if (call.giveUp !== null || call.abandonedWith === null) continue;
      reached("withdrawn_acquire_skipped_when_sent_again");
      call.giveUp = call.abandonedWith;
    }
  }

  /** This number has been answered, perhaps not for the first time. A skip is taken also where a write would not be. */
  #noteTaken(writeSeq: number, isSkip: boolean): void {
    const refusal = this.#refusal;
    if (refusal === null || writeSeq < refusal.fromSeq || this.#writes.isUnsent(writeSeq)) return;
    if (isSkip && this.#writes.hasUnansweredAfter(writeSeq)) {
      this.#refusal = { fromSeq: writeSeq + 1, code: refusal.code };
      return;
    }
    reached("refusal_overcome");
    this.#refusal = null;
    this.#refusedBackoff.reset();
  }

  /**
   * Whatever a read sent after a refused write is answered, it does not show that write, also where the answer comes only
   * once the write was sent again and got through.
   */
  #noteOvertaking(fromSeq: number): void {
    for (const call of this.#reads.values()) {
      if (call.afterSeq < fromSeq || call.isOvertaking) continue;
      call.isOvertaking = true;
      this.#overtaking += 1;
    }
  }

  /** The session is over: every call fails with its end. */
  failAll(end: QuorateError): void {
    this.#endHold();
    for (const call of this.#writes.unanswered()) this.#fail(call, endOf(end, true));
    const reads = [...this.#reads.values(), ...this.#readsAgain, ...this.#urgent.drain()];
    this.#reads.clear();
    this.#overtaking = 0;
    this.#readsAgain = [];
    for (const call of [...reads, ...this.#queue.drain()]) this.#fail(call, endOf(end, false));
  }

  #limit(call: PendingWrite | PendingRead, options: CallOptions | undefined): void {
    if (options === undefined) return;
    call.ticket = this.#ports.cancellations.watch((code, cause) => {
      this.#abandon(call, code, cause);
    }, options);
  }

  /**
   * A call that was not sent is forgotten. A write that has to be sent again, because it was refused or its connection ended,
   * has its number skipped, any other stays until it is answered. Either way the outcome of a write with a number is
   * unknown: a copy that was sent before may be in some leader's log, and only the answer to the skip would tell.
   */
  #abandon(call: PendingWrite | PendingRead, code: AbandonCode, cause: unknown): void {
    if (call.isSettled) return;
    call.ticket = null;
    const isWrite = call.kind === "write";
    const outcomeUnknown = isWrite && call.writeSeq !== 0;
    if (outcomeUnknown) reached("write_given_up_with_unknown_outcome");
    const isHeld = outcomeUnknown && this.#writes.isUnsent(call.writeSeq);
    const path = isWrite ? call.ops[0]?.path : "path" in call.query ? call.query.path : undefined;
    const isUrgent = !isWrite && call.isUrgent;
    const refusal = isUrgent ? undefined : this.#refusalError();
    const reason = cause ?? refusal ?? this.#ports.trouble();
    const error = abandonment(code, { outcomeUnknown, cause: reason, path });
    if (isHeld) {
      reached("refused_write_given_up");
      call.giveUp ??= error;
    }
    call.fail(error);
    const isQueued = isWrite ? call.writeSeq === 0 : call.cxid === 0;
    if (isQueued) {
      reached("unsent_call_given_up");
      if (isUrgent) this.#urgent.leave(call);
      else this.#queue.leave(call);
    }
  }

  #refusalError(): QuorateError | undefined {
    if (this.#refusal === null) return undefined;
    const { code } = this.#refusal;
    return new QuorateError(code, "the service takes no write for now", { retryable: true });
  }

  #flushUrgent(send: Send): void {
    for (let call = this.#urgent.peek(); call !== null; call = this.#urgent.peek()) {
      if (!this.#hasRoom(call.bytes)) return;
      this.#urgent.shift(call);
      this.#sendRead(call, 0, send);
    }
  }

  #flushWrites(send: Send): void {
    const endSeq =
      this.#refusal === null ? Number.POSITIVE_INFINITY : this.#refusal.fromSeq + PROBE_WRITES;
    for (let call = this.#writes.send(endSeq); call !== null; call = this.#writes.send(endSeq)) {
      this.#sendWrite(call, send);
    }
  }

  #flushReadsAgain(send: Send): void {
    if (this.#readsAgain.length === 0) return;
    // In the order of the calls: answered the other way round, the earlier one would show the later state.
    const waiting = this.#readsAgain.filter((call) => !call.isSettled);
    waiting.sort((a, b) => a.order - b.order);
    let sent = 0;
    for (const call of waiting) {
      if (!this.#hasRoom(call.bytes)) break;
      // What was called after it may be refused, and does not concern it.
      this.#sendRead(call, call.afterSeq, send);
      sent += 1;
    }
    this.#readsAgain = waiting.slice(sent);
  }

  #flushQueue(send: Send): void {
    for (let call = this.#queue.peek(); call !== null; call = this.#queue.peek()) {
      const hasRoom =
        call.kind === "write" ? this.#writes.hasRoom(call.windowBytes) : this.#hasRoom(call.bytes);
      if (!hasRoom) {
        reached("call_waits_for_room_in_the_window");
        return;
      }
      this.#queue.shift(call);
      if (call.kind === "read") {
        this.#sendRead(call, this.#writes.sentSeq, send);
      } else {
        this.#writes.append(call);
        this.#writes.send(Number.POSITIVE_INFINITY);
        this.#sendWrite(call, send);
      }
    }
  }

  #sendWrite(call: PendingWrite, send: Send): void {
    const { writeSeq } = call;
    if (writeSeq === 0) return;
    const { ackedSeq } = this.#writes;
    if (call.giveUp === null && call.ops.length > 0) {
      send({ kind: "write", writeSeq, ackedSeq, ops: call.ops }, call.bytes);
    } else {
      if (call.giveUp !== null) reached("write_skipped");
      send({ kind: "skip", writeSeq, ackedSeq }, call.bytes);
    }
  }

  #sendRead(call: PendingRead, afterSeq: number, send: Send): void {
    call.cxid = this.nextCxid();
    if (call.order === 0) call.order = call.cxid;
    call.afterSeq = afterSeq;
    this.#reads.set(call.cxid, call);
    this.#readBytes += call.bytes;
    const { cxid, consistency, query } = call;
    send({ kind: "read", cxid, consistency, query }, call.bytes);
  }

  /** For one more read. Writes count for themselves: those that have to wait keep no read from asking. */
  #hasRoom(bytes: number): boolean {
    return (
      this.#reads.size < PROTOCOL_LIMITS.outstandingMax &&
      this.#readBytes + bytes <= PROTOCOL_LIMITS.outstandingBytesMax
    );
  }

  #wakeIfWaiting(): void {
    const waiting = this.#queue.count + this.#urgent.count + this.#readsAgain.length;
    if (waiting > 0 || this.#writes.hasUnsent) this.#ports.wake();
  }

  #fail(call: PendingWrite | PendingRead, error: QuorateError): void {
    if (call.isSettled) return;
    this.#release(call);
    call.fail(error);
  }

  #release(call: PendingWrite | PendingRead): void {
    this.#ports.cancellations.release(call.ticket);
    call.ticket = null;
  }

  #endHold(): void {
    this.#holdTimer?.cancel();
    this.#holdTimer = null;
  }
}
