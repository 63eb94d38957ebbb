import type { DataTree } from "@quorate/kv-store";
import type { MonotonicClock } from "../ports.ts";
import type { ClientConnection } from "./client-connection.ts";

/** Reads of one turn take at most this long, ms; the others wait for the next. */
const SLICE_MS = 5;

/** Clients with reads that are not answered yet, each in its turn: one that reads much keeps nobody waiting. */
export class ReadTurns {
  readonly #clock: MonotonicClock;
  /** In the order in which they get their turn. */
  readonly #waiting = new Set<ClientConnection>();

  constructor(clock: MonotonicClock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#waiting.size;
  }

  /** It has reads to be answered. */
  add(connection: ClientConnection): void {
    this.#waiting.add(connection);
  }

  /** It is gone. */
  forget(connection: ClientConnection): void {
    this.#waiting.delete(connection);
  }

  /** Answers what can be answered from this state, for a while. False: time was up, call it again in the next turn. */
  drain(tree: DataTree, appliedIndex: number): boolean {
    if (this.#waiting.size === 0) return true;
    const endMs = this.#clock.nowMs() + SLICE_MS;
    const isTimeUp = (): boolean => this.#clock.nowMs() >= endMs;
    for (const connection of [...this.#waiting]) {
      const { session } = connection;
      const lastWriteSeq = session === null ? 0 : (tree.session(session)?.lastWriteSeq ?? 0);
      const isDone = connection.drainReads({ appliedIndex, lastWriteSeq }, isTimeUp);
      this.#waiting.delete(connection);
      if (!isDone) this.#waiting.add(connection);
      if (isTimeUp()) return false;
    }
    return true;
  }
}
