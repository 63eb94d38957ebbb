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
    for (const queue of this.#followers.keys()) {
      if (!queue.push(state, 1)) {
        reached("states_not_followed_in_time");
        queue.clear();
        queue.push(state, 1);
      }
      if (this.isOver) this.#leave(queue, null);
    }
  }

  /** Every state from this call on. Codes, of the iterator: BAD_ARGUMENTS, ABORTED. */
  follow(options: Pick<CallOptions, "signal">): AsyncIterable<SessionState> {
    const queue: StateQueue = new AsyncQueue(BUFFER);
    const error = checkCallOptions(options);
    if (error !== null || this.isOver) {
      queue.end(error);
    } else {
      const ticket = this.#cancellations.watch((code, cause) => {
        this.#leave(queue, abandonment(code, { outcomeUnknown: false, cause }));
      }, options);
      this.#followers.set(queue, ticket);
    }
    const stop = (): Promise<IteratorResult<SessionState, undefined>> => {
      queue.clear();
      this.#leave(queue, null);
      return Promise.resolve({ done: true, value: undefined });
    };
    const iterator = { next: () => queue.next(), return: stop };
    return { [Symbol.asyncIterator]: () => iterator };
  }

  #leave(queue: StateQueue, error: unknown): void {
    this.#cancellations.release(this.#followers.get(queue) ?? null);
    this.#followers.delete(queue);
    queue.end(error);
  }
}
