import { reached } from "../points.ts";
import type { Connection, MonotonicClock } from "../ports.ts";
import type { ClientConnection } from "./client-connection.ts";
import type { Outbox } from "./outbox.ts";

/** A client's connection, as far as sending goes. */
export interface Recipient extends Pick<ClientConnection, "isClosed" | "flush" | "dropAsSlow"> {
  readonly connection: Pick<Connection, "bufferedBytes">;
  readonly outbox: Pick<Outbox, "heapBytes">;
}

/** What leaves in one turn takes at most this long, ms; with one large event for thousands of clients it is a lot. */
const SLICE_MS = 5;

/**
 * What leaves to clients. In slices, so that no turn is long and the network can take one slice while the next is made;
 * and bounded over all clients together, because each alone may leave little unread and all of them more than there is
 * memory. What has not had its turn to leave takes memory like what was sent.
 */
export class Outflow {
  readonly #clock: MonotonicClock;
  readonly #unreadBytesMax: number;
  /** There is something to send; in the order in which they get their turn. */
  readonly #due = new Set<Recipient>();
  /** Have not taken everything that was sent, as of the last look. */
  readonly #behind = new Set<Recipient>();

  constructor(clock: MonotonicClock, unreadBytesMax: number) {
    this.#clock = clock;
    this.#unreadBytesMax = unreadBytesMax;
  }

  /** Something waits in this connection's outbox. */
  add(recipient: Recipient): void {
    this.#due.add(recipient);
  }

  /** The connection is gone. */
  forget(recipient: Recipient): void {
    this.#due.delete(recipient);
    this.#behind.delete(recipient);
  }

  /** Sends for a while. False: there is more, call it again in the next turn. */
  flush(): boolean {
    if (this.#due.size === 0) return true;
    const endMs = this.#clock.nowMs() + SLICE_MS;
    for (const recipient of this.#due) {
      this.#due.delete(recipient);
      recipient.flush();
      if (recipient.connection.bufferedBytes > 0) this.#behind.add(recipient);
      if (this.#clock.nowMs() >= endMs) {
        reached("sending_left_for_another_turn");
        break;
      }
    }
    return this.#due.size === 0;
  }

  /** Time passed, and the network has taken what it can: lets go whoever has left most unread while it is too much. */
  onTick(): void {
    const unread = this.#measure();
    let total = 0;
    for (const bytes of unread.values()) total += bytes;
    if (total <= this.#unreadBytesMax) return;
    for (const [recipient, bytes] of [...unread].sort((a, b) => b[1] - a[1])) {
      reached("clients_together_left_too_much_unread");
      recipient.dropAsSlow();
      total -= bytes;
      if (total <= this.#unreadBytesMax) return;
    }
  }

  #measure(): ReadonlyMap<Recipient, number> {
    const unread = new Map<Recipient, number>();
    for (const recipient of this.#behind) {
      const bytes = recipient.isClosed ? 0 : recipient.connection.bufferedBytes;
      if (bytes > 0) unread.set(recipient, bytes);
      else this.#behind.delete(recipient);
    }
    for (const recipient of this.#due) {
      const bytes = (unread.get(recipient) ?? 0) + recipient.outbox.heapBytes;
      if (bytes > 0 && !recipient.isClosed) unread.set(recipient, bytes);
    }
    return unread;
  }
}
