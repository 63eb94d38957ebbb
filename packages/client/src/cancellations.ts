import type { CallOptions } from "./api.ts";
import { QuorateError } from "./errors.ts";
import { abandonment, type AbandonCode } from "./failure.ts";
import { reached } from "./points.ts";
import type { ClientClock, Timer } from "./ports.ts";
import { shown } from "./shown.ts";

/** Tells one that waits to wait no more: at most once, and never after its ticket was released. */
export type OnAbandoned = (code: AbandonCode, cause: unknown) => void;

/** Longest single timer, ms: beyond 2^31 - 1 the platform's timers fire at once. */
const TIMER_MAX_MS = 2 ** 30;

/** What holds one that waits to its call's signal and timeout. */
export class CancellationTicket {
  readonly onAbandoned: OnAbandoned;
  readonly dueMs: number;
  readonly signal: AbortSignal | null;
  /** Place in the heap, -1 when not in it. */
  place = -1;

  constructor(onAbandoned: OnAbandoned, dueMs: number, signal: AbortSignal | null) {
    this.onAbandoned = onAbandoned;
    this.dueMs = dueMs;
    this.signal = signal;
  }
}

/** Everybody who waits with one signal, behind one listener. */
interface Listening {
  readonly tickets: Set<CancellationTicket>;
  readonly onAbort: () => void;
}

/** BAD_ARGUMENTS if the options are no options, ABORTED if their signal has aborted already. */
export function checkCallOptions(options: CallOptions | undefined): QuorateError | null {
  if (options === undefined) return null;
  if (typeof options !== "object" || options === null) {
    return new QuorateError("BAD_ARGUMENTS", "the options are no object");
  }
  const { timeoutMs, signal } = options;
  if (timeoutMs !== undefined && !(typeof timeoutMs === "number" && timeoutMs >= 0)) {
    return new QuorateError("BAD_ARGUMENTS", `timeoutMs must not be ${shown(timeoutMs)}`);
  }
  // What has no types may say null as well.
  if (
    signal !== undefined &&
    typeof (signal as AbortSignal | null)?.addEventListener !== "function"
  ) {
    return new QuorateError("BAD_ARGUMENTS", "the signal is no AbortSignal");
  }
  if (signal?.aborted === true) {
    return new QuorateError("ABORTED", "the signal had already aborted", { cause: signal.reason });
  }
  return null;
}

/**
 * Timeouts and signals of all calls, with one timer for all of them (a binary heap by due time) and one listener for each
 * signal: a call without either costs nothing, and an answered call leaves nothing behind. Applications use one signal
 * for thousands of calls; Node takes more than ten listeners for a leak, and to find one among them takes time.
 */
export class Cancellations {
  readonly #clock: ClientClock;
  readonly #heap: CancellationTicket[] = [];
  readonly #listening = new Map<AbortSignal, Listening>();
  #timer: Timer | null = null;
  #timerDueMs = 0;

  constructor(clock: ClientClock) {
    this.#clock = clock;
  }

  /** Null if the options limit nothing. Release the ticket when nobody waits any more. */
  watch(onAbandoned: OnAbandoned, options: CallOptions | undefined): CancellationTicket | null {
    if (options === undefined) return null;
    const { signal = null, timeoutMs = Number.POSITIVE_INFINITY } = options;
    if (signal === null && timeoutMs === Number.POSITIVE_INFINITY) return null;
    const dueMs = this.#clock.nowMs() + timeoutMs;
    const ticket = new CancellationTicket(onAbandoned, dueMs, signal);
    if (signal !== null) this.#listen(signal, ticket);
    if (dueMs !== Number.POSITIVE_INFINITY) {
      this.#heap.push(ticket);
      this.#siftUp(this.#heap.length - 1, ticket);
      this.#arm();
    }
    return ticket;
  }

  /** What becomes of `promise`, unless the options' signal or timeout comes first: then only the waiting for it ends. */
  limit<T>(promise: Promise<T>, options: CallOptions, path: string): Promise<T> {
    const error = checkCallOptions(options);
    return new Promise((resolve, reject) => {
      const onAbandoned: OnAbandoned = (code, cause) => {
        reject(abandonment(code, { outcomeUnknown: true, cause, path }));
      };
      const ticket = error === null ? this.watch(onAbandoned, options) : null;
      const settle = (outcome: () => void): void => {
        this.release(ticket);
        outcome();
      };
      promise.then(
        (value) => settle(() => resolve(value)),
        (failure: unknown) => settle(() => reject(failure)),
      );
      if (error !== null) reject(error);
    });
  }

  /** Again, after it was abandoned, or without a ticket, this does nothing. */
  release(ticket: CancellationTicket | null): void {
    if (ticket === null) return;
    if (ticket.signal !== null) this.#unlisten(ticket.signal, ticket);
    if (ticket.place === -1) return;
    const { place } = ticket;
    ticket.place = -1;
    const last = this.#heap.pop();
    if (last !== undefined && last !== ticket) {
      this.#siftDown(place, last);
      this.#siftUp(last.place, last);
    }
    if (this.#heap.length === 0) this.#disarm();
  }

  #listen(signal: AbortSignal, ticket: CancellationTicket): void {
    let listening = this.#listening.get(signal);
    if (listening === undefined) {
      listening = { tickets: new Set(), onAbort: () => this.#onAbort(signal) };
      this.#listening.set(signal, listening);
      signal.addEventListener("abort", listening.onAbort);
    }
    listening.tickets.add(ticket);
  }

  #unlisten(signal: AbortSignal, ticket: CancellationTicket): void {
    const listening = this.#listening.get(signal);
    if (listening === undefined) return;
    listening.tickets.delete(ticket);
    if (listening.tickets.size > 0) return;
    this.#listening.delete(signal);
    signal.removeEventListener("abort", listening.onAbort);
  }

  /** In the order of the calls; one that another's abandonment has ended is not told any more. */
  #onAbort(signal: AbortSignal): void {
    const tickets = this.#listening.get(signal)?.tickets ?? [];
    for (const ticket of tickets) {
      this.release(ticket);
      reached("call_ended_by_its_signal");
      ticket.onAbandoned("ABORTED", signal.reason);
    }
  }

  #onTimer(): void {
    this.#timer = null;
    const now = this.#clock.nowMs();
    for (
      let first = this.#heap[0];
      first !== undefined && first.dueMs <= now;
      first = this.#heap[0]
    ) {
      this.release(first);
      reached("call_timed_out");
      first.onAbandoned("TIMEOUT", undefined);
    }
    this.#arm();
  }

  /** An early timer finds nothing due and is armed again, so later calls do not move it. */
  #arm(): void {
    const first = this.#heap[0];
    if (first === undefined || (this.#timer !== null && this.#timerDueMs <= first.dueMs)) return;
    this.#disarm();
    const delayMs = Math.max(1, first.dueMs - this.#clock.nowMs());
    this.#timerDueMs = first.dueMs;
    this.#timer = this.#clock.after(Math.min(TIMER_MAX_MS, delayMs), () => this.#onTimer());
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #siftUp(from: number, ticket: CancellationTicket): void {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = this.#heap[above];
      if (parent === undefined || parent.dueMs <= ticket.dueMs) break;
      this.#put(place, parent);
      place = above;
    }
    this.#put(place, ticket);
  }

  #siftDown(from: number, ticket: CancellationTicket): void {
    let place = from;
    for (;;) {
      const left = this.#heap[place * 2 + 1];
      const right = this.#heap[place * 2 + 2];
      const below =
        right !== undefined && left !== undefined && right.dueMs < left.dueMs ? right : left;
      if (below === undefined || below.dueMs >= ticket.dueMs) break;
      const next = below.place;
      this.#put(place, below);
      place = next;
    }
    this.#put(place, ticket);
  }

  #put(place: number, ticket: CancellationTicket): void {
    this.#heap[place] = ticket;
    ticket.place = place;
  }
}
