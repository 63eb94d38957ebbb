import type { Socket } from "node:net";

/**
 * Sockets of a listener that are no connections: handshakes, plain HTTP requests, and those that say nothing. Where there is no
 * room for one more the oldest goes: an honest one says at once what it is for, so among many silent ones it still gets through.
 * Whoever is being answered is past that, and goes last while there are not too many of them either.
 */
export class OtherSockets {
  readonly #answeredMax: number;
  /** Oldest first. */
  readonly #waiting = new Set<Socket>();
  readonly #answered = new Set<Socket>();

  /** `answeredMax`: when more are being answered at a time, the oldest of these goes first. */
  constructor(answeredMax: number) {
    this.#answeredMax = answeredMax;
  }

  get size(): number {
    return this.#waiting.size + this.#answered.size;
  }

  /** A new one, for which there are so many places with all others. */
  add(socket: Socket, places: number): void {
    while (this.size > 0 && this.size >= places) this.#letOneGo();
    this.#waiting.add(socket);
    socket.once("close", () => this.remove(socket));
  }

  /** It is a connection now, or gone. */
  remove(socket: Socket): void {
    this.#waiting.delete(socket);
    this.#answered.delete(socket);
  }

  /** It has said what it wants. */
  beginAnswer(socket: Socket): void {
    if (this.#waiting.delete(socket)) this.#answered.add(socket);
  }

  /** It may ask for something else, as one that has just come. */
  endAnswer(socket: Socket): void {
    if (this.#answered.delete(socket)) this.#waiting.add(socket);
  }

  #letOneGo(): void {
    const isAnswered = this.#waiting.size === 0 || this.#answered.size > this.#answeredMax;
    const [oldest] = isAnswered ? this.#answered : this.#waiting;
    if (oldest === undefined) return;
    this.remove(oldest);
    oldest.destroy();
  }
}
