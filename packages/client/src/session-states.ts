import type { CallOptions, SessionState } from "./api.ts";
import { AsyncQueue } from "./async-queue.ts";
import { checkCallOptions, type CancellationTicket, type Cancellations } from "./cancellations.ts";
import { abandonment } from "./failure.ts";
import { reached } from "./points.ts";

/** States that wait for a listener; one that reads none for that long gets the newest. */
const BUFFER = { countMax: 64, bytesMax: 64 };

type StateQueue = AsyncQueue<SessionState>;

/** The current state of a session, and whoever follows it. */
export class SessionStates {
  #current: SessionState = { kind: "connecting" };
  /** How many there were after the first. */
  #count = 0;
  /** The newest of them, for those who have asked and not yet begun to listen: so they need not be known here. */
  #recent: SessionState[] = [];
  /** Each with what holds it to its signal. */
  readonly #followers = new Map<StateQueue, CancellationTicket | null>();
  readonly #cancellations: Cancellations;

  constructor(cancellations: Cancellations) {
    this.#cancellations = cancellations;
  }

  get current(): SessionState {
    return this.#current;
  }

  get isOver(): boolean {
    return this.#current.kind === "expired" || this.#current.kind === "closed";
  }

  /** The last one is `expired` or `closed`. */
  become(state: SessionState): void {
    this.#current = state;
    this.#count += 1;
    this.#recent.push(state);
    if (this.#recent.length > BUFFER.countMax) this.#recent.shift();
    for (const queue of this.#followers.keys()) {
      if (!queue.push(state, 1)) {
        reached("states_not_followed_in_time");
        queue.clear();
        queue.push(state, 1);
      }
      if (this.isOver) this.#leave(queue, null);
    }
  }

  /**
   * Every state from this call on. Nothing is kept for a follower before its first `next`: one that never listens costs nothing.
   * Codes, of the iterator: BAD_ARGUMENTS, ABORTED.
   */
  follow(options: Pick<CallOptions, "signal">): AsyncIterable<SessionState> {
    const refusal = checkCallOptions(options);
    const from = this.#count;
    let begun: StateQueue | null = null;
    const queue = (): StateQueue => {
      begun ??= refusal === null ? this.#begin(from, options) : ended(refusal);
      return begun;
    };
    const stop = (): Promise<IteratorResult<SessionState, undefined>> => {
      queue().clear();
      this.#leave(queue(), null);
      return Promise.resolve({ done: true, value: undefined });
    };
    const iterator = { next: () => queue().next(), return: stop };
    return { [Symbol.asyncIterator]: () => iterator };
  }

  /** Listens from here on, after what was missed since there had been `from` states. */
  #begin(from: number, options: Pick<CallOptions, "signal">): StateQueue {
    const queue: StateQueue = new AsyncQueue(BUFFER);
    const missed = this.#count - from;
    if (missed > BUFFER.countMax) queue.push(this.#current, 1);
    else if (missed > 0) for (const state of this.#recent.slice(-missed)) queue.push(state, 1);
    const error = checkCallOptions(options);
    if (error !== null || this.isOver) {
      queue.end(error);
      return queue;
    }
    const ticket = this.#cancellations.watch((code, cause) => {
      this.#leave(queue, abandonment(code, { outcomeUnknown: false, cause }));
    }, options);
    this.#followers.set(queue, ticket);
    return queue;
  }

  #leave(queue: StateQueue, error: unknown): void {
    this.#cancellations.release(this.#followers.get(queue) ?? null);
    this.#followers.delete(queue);
    queue.end(error);
  }
}

function ended(error: unknown): StateQueue {
  const queue: StateQueue = new AsyncQueue(BUFFER);
  queue.end(error);
  return queue;
}
