/** Bounds of a queue; what does not fit is for its owner to deal with. */
export interface QueueLimits {
  readonly countMax: number;
  readonly bytesMax: number;
}

interface Item<T> {
  readonly value: T;
  readonly bytes: number;
}

interface Waiter<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

/** From callbacks to `for await`: values wait here, within bounds, until somebody asks for them. */
export class AsyncQueue<T> {
  readonly #limits: QueueLimits;
  #items: Item<T>[] = [];
  #head = 0;
  #bytes = 0;
  #waiters: Waiter<T>[] = [];
  #end: { readonly error: unknown } | null = null;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  get isEnded(): boolean {
    return this.#end !== null;
  }

  /** False, and nothing is taken, if the queue is full. After the end values are dropped. */
  push(value: T, bytes: number): boolean {
    if (this.#end !== null) return true;
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      waiter.resolve({ done: false, value });
      return true;
    }
    const count = this.#items.length - this.#head;
    if (count >= this.#limits.countMax || this.#bytes + bytes > this.#limits.bytesMax) return false;
    this.#items.push({ value, bytes });
    this.#bytes += bytes;
    return true;
  }

  /** Forgets what waits. */
  clear(): void {
    this.#items = [];
    this.#head = 0;
    this.#bytes = 0;
  }

  /** What waits is still handed out; then `error` is thrown once, if there is one. Only the first end counts. */
  end(error: unknown = null): void {
    if (this.#end !== null) return;
    this.#end = { error };
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) this.#finish(waiter);
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const item = this.#items[this.#head];
    if (item !== undefined) {
      this.#drop(item);
      return Promise.resolve({ done: false, value: item.value });
    }
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject };
      if (this.#end === null) this.#waiters.push(waiter);
      else this.#finish(waiter);
    });
  }

  #drop(item: Item<T>): void {
    this.#bytes -= item.bytes;
    this.#head += 1;
    if (this.#head === this.#items.length) {
      this.clear();
    } else if (this.#head >= 256) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
  }

  #finish(waiter: Waiter<T>): void {
    const error = this.#end?.error ?? null;
    if (error === null) {
      waiter.resolve({ done: true, value: undefined });
      return;
    }
    this.#end = { error: null };
    waiter.reject(error);
  }
}
