/** A queue whose entries may be settled, and thereby leave, while they wait. */
export class Fifo<T extends { readonly isSettled: boolean; readonly bytes: number }> {
  #items: (T | undefined)[] = [];
  #head = 0;
  #count = 0;
  #bytes = 0;

  /** Entries that still wait. */
  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(item: T): void {
    this.#items.push(item);
    this.#count += 1;
    this.#bytes += item.bytes;
  }

  /** The oldest entry that still waits. */
  peek(): T | null {
    while (this.#head < this.#items.length) {
      const item = this.#items[this.#head];
      if (item !== undefined && !item.isSettled) return item;
      this.#items[this.#head] = undefined;
      this.#head += 1;
    }
    this.#items = [];
    this.#head = 0;
    return null;
  }

  /** Takes out what `peek` returned. */
  shift(item: T): void {
    this.#items[this.#head] = undefined;
    this.#head += 1;
    this.#leave(item);
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head >= 1024 && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }

  /** `item` waits no more; call once, with `item.isSettled` true. Its place is freed when half of the places are such. */
  leave(item: T): void {
    this.#leave(item);
    const places = this.#items.length - this.#head;
    if (places < 64 || this.#count * 2 > places) return;
    this.#items = this.#items.filter((other) => other !== undefined && !other.isSettled);
    this.#head = 0;
  }

  /** Empties the queue. */
  drain(): T[] {
    const waiting: T[] = [];
    for (const item of this.#items) {
      if (item !== undefined && !item.isSettled) waiting.push(item);
    }
    this.#items = [];
    this.#head = 0;
    this.#count = 0;
    this.#bytes = 0;
    return waiting;
  }

  #leave(item: T): void {
    this.#count -= 1;
    this.#bytes -= item.bytes;
  }
}
