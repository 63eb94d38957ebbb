import type { SessionState } from "./api.ts";
import { AsyncQueue } from "./async-queue.ts";

/** States that wait for a listener; one that reads none for that long gets the newest. */
const BUFFER = { countMax: 64, bytesMax: 64 };

/** The current state of a session, and whoever follows it. */
export class SessionStates {
  #current: SessionState = { kind: "connecting" };
  readonly #followers = new Set<AsyncQueue<SessionState>>();

  get current(): SessionState {
    return this.#current;
  }

  get isOver(): boolean {
    return this.#current.kind === "expired" || this.#current.kind === "closed";
  }

  /** The last one is `expired` or `closed`. */
  become(state: SessionState): void {
    this.#current = state;
    for (const queue of this.#followers) {
      if (!queue.push(state, 1)) {
        queue.clear();
        queue.push(state, 1);
      }
      if (this.isOver) queue.end();
    }
    if (this.isOver) this.#followers.clear();
  }

  /** Every state from this call on. */
  follow(): AsyncIterable<SessionState> {
    const queue = new AsyncQueue<SessionState>(BUFFER);
    if (this.isOver) queue.end();
    else this.#followers.add(queue);
    const leave = (): Promise<IteratorResult<SessionState, undefined>> => {
      this.#followers.delete(queue);
      queue.clear();
      queue.end();
      return Promise.resolve({ done: true, value: undefined });
    };
    const iterator = { next: () => queue.next(), return: leave };
    return { [Symbol.asyncIterator]: () => iterator };
  }
}
