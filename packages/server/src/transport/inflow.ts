/** Whose messages come in. */
interface Sender {
  /** Ends its connection at once. */
  letGo(reason: string): void;
}

/** Is free again when it is enough: looking for who holds most is too much work for every piece that comes. */
const FREED_PART = 1 / 8;

/**
 * What messages take that have come in part only, bounded over all connections together: each alone may take little, and all
 * of them more than there is memory.
 */
export class Inflow {
  readonly #heapBytesMax: number;
  readonly #heapBytes = new Map<Sender, number>();
  #total = 0;

  constructor(heapBytesMax: number) {
    this.#heapBytesMax = heapBytesMax;
  }

  /** The unfinished message of `sender` takes so much now; while all take too much, whoever has most is let go. */
  set(sender: Sender, heapBytes: number): void {
    this.#total += heapBytes - (this.#heapBytes.get(sender) ?? 0);
    if (heapBytes === 0) this.#heapBytes.delete(sender);
    else this.#heapBytes.set(sender, heapBytes);
    if (this.#total > this.#heapBytesMax) this.#free();
  }

  /** The connection is gone. */
  forget(sender: Sender): void {
    this.set(sender, 0);
  }

  #free(): void {
    const enough = this.#heapBytesMax * (1 - FREED_PART);
    for (const [sender, heapBytes] of [...this.#heapBytes].sort((a, b) => b[1] - a[1])) {
      if (this.#total <= enough) return;
      this.#heapBytes.delete(sender);
      this.#total -= heapBytes;
      sender.letGo("all clients together sent too much of messages that they did not complete");
    }
  }
}
