import { PROTOCOL_LIMITS, writeSeq, type WriteSeq } from "@quorate/kv-store/protocol";
import type { PendingWrite } from "./call.ts";
import { reached } from "./points.ts";

/** A power of two, so that a number's slot is a mask away. */
const SLOTS = PROTOCOL_LIMITS.outstandingMax;
const MASK = SLOTS - 1;

/**
 * The numbered writes of a session: answered up to `ackedSeq`, behind it those that were sent on this connection, then
 * those that have to be sent. Numbers are consecutive from 1; one that was given keeps its place until everything up to
 * it is answered, so that a connection always carries numbers without a gap.
 */
export class WriteWindow {
  readonly #slots: (PendingWrite | undefined)[] = [];
  #acked: WriteSeq | 0 = 0;
  /** First number that is not sent on this connection. */
  #cursor = 1;
  #next = 1;
  #bytes = 0;
  #unacknowledgedBytes = 0;

  /** Every write up to here has been answered. */
  get ackedSeq(): WriteSeq | 0 {
    return this.#acked;
  }

  /** Highest number sent on this connection, or before it. */
  get sentSeq(): number {
    return this.#cursor - 1;
  }

  get count(): number {
    return this.#next - 1 - this.#acked;
  }

  /** For one more write. */
  hasRoom(windowBytes: number): boolean {
    return (
      this.count < PROTOCOL_LIMITS.outstandingMax &&
      this.#bytes + windowBytes <= PROTOCOL_LIMITS.outstandingBytesMax
    );
  }

  /** What the service still keeps of the answers that are here, because no write has told it so; bytes, at most. */
  get unacknowledgedBytes(): number {
    return this.#unacknowledgedBytes;
  }

  get hasUnsent(): boolean {
    return this.#cursor < this.#next;
  }

  /** Gives `call` the next number. The caller sees to it that there is room. */
  append(call: PendingWrite): void {
    call.writeSeq = writeSeq(this.#next);
    this.#slots[this.#next & MASK] = call;
    this.#next += 1;
    this.#bytes += call.windowBytes;
  }

  /** The write that has to be sent next, as of now sent; null if there is none below `endSeq`. */
  send(endSeq: number): PendingWrite | null {
    if (this.#cursor >= this.#next || this.#cursor >= endSeq) return null;
    const call = this.#slots[this.#cursor & MASK] ?? null;
    if (call !== null) {
      call.sendCount += 1;
      // Only what takes its number acknowledges: of a repeat that has it already nobody takes note.
      if (call.sendCount === 1) this.#unacknowledgedBytes = 0;
    }
    this.#cursor += 1;
    return call;
  }

  isUnsent(seq: number): boolean {
    return seq >= this.#cursor;
  }

  /** Marks a write answered and returns it; null if it is not waiting for an answer. */
  answer(seq: number): PendingWrite | null {
    if (seq <= this.#acked || seq >= this.#cursor) return null;
    const call = this.#slots[seq & MASK];
    if (call === undefined || call.isAnswered) return null;
    call.isAnswered = true;
    this.#slide();
    return call;
  }

  /** Writes from `fromSeq` on have to be sent again; returns the first, null if that number is not under way. */
  rewind(fromSeq: number): PendingWrite | null {
    if (fromSeq <= this.#acked || fromSeq >= this.#cursor) return null;
    this.#cursor = fromSeq;
    return this.#slots[fromSeq & MASK] ?? null;
  }

  /** Those that have to be sent, again or for the first time, in order. */
  unsent(): PendingWrite[] {
    return this.#from(this.#cursor);
  }

  /** One behind `seq` is still to be answered. */
  hasUnansweredAfter(seq: number): boolean {
    for (let behind = seq + 1; behind < this.#next; behind += 1) {
      if (this.#slots[behind & MASK]?.isAnswered === false) return true;
    }
    return false;
  }

  /** The connection is gone: whatever was sent on it may or may not have arrived, and has to be sent again. */
  rewindAll(): void {
    for (let seq = this.#acked + 1; seq < this.#cursor; seq += 1) {
      if (this.#slots[seq & MASK] !== undefined) reached("write_sent_again_after_reconnect");
    }
    this.#cursor = this.#acked + 1;
  }

  /** Every write that is not answered, in order. */
  unanswered(): PendingWrite[] {
    return this.#from(this.#acked + 1).filter((call) => !call.isAnswered);
  }

  #from(first: number): PendingWrite[] {
    const calls: PendingWrite[] = [];
    for (let seq = first; seq < this.#next; seq += 1) {
      const call = this.#slots[seq & MASK];
      if (call !== undefined) calls.push(call);
    }
    return calls;
  }

  #slide(): void {
    for (;;) {
      const at = (this.#acked + 1) & MASK;
      const call = this.#slots[at];
      if (call === undefined || !call.isAnswered) return;
      this.#slots[at] = undefined;
      this.#bytes -= call.windowBytes;
      this.#unacknowledgedBytes += call.answerBytes;
      this.#acked = writeSeq(this.#acked + 1);
    }
  }
}
