interface Event {
  readonly at: number;
  readonly seq: number;
  readonly run: () => void;
}

/** Virtual time: events run in order of time, and of insertion where times are equal. */
export class Schedule {
  #heap: Event[] = [];
  #seq = 0;
  #now = 0;
  #ran = 0;

  /** Microseconds since the start. */
  get now(): number {
    return this.#now;
  }

  get eventsRun(): number {
    return this.#ran;
  }

  after(delay: number, run: () => void): void {
    this.#seq += 1;
    this.#push({ at: this.#now + Math.max(0, Math.round(delay)), seq: this.#seq, run });
  }

  /** Runs everything up to `until`; false as soon as more than `eventsMax` have run in all. */
  runUntil(until: number, eventsMax: number): boolean {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.at > until) {
        this.#now = until;
        return true;
      }
      if (this.#ran >= eventsMax) return false;
      this.#pop();
      this.#ran += 1;
      this.#now = next.at;
      next.run();
    }
  }

  #isBefore(left: Event, right: Event): boolean {
    return left.at < right.at || (left.at === right.at && left.seq < right.seq);
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up]!;
      if (!this.#isBefore(event, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.#isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!this.#isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}
