/** Something that is due to happen. */
export interface Due {
  readonly timeMs: number;
  readonly order: number;
  /** Null: it was cancelled. */
  run: (() => void) | null;
}

/**
 * Runs every promise callback that is due, and those that become due by it, as the runtime does after each of its own
 * callbacks. Only outside of promise callbacks; within one it does nothing.
 */
const settle: () => void = settleOf(Reflect.get(process, "_tickCallback"));

/**
 * The time of a simulated world: nothing happens but what is due, in order of time and then of scheduling, and between
 * two events promises settle. Nothing in it depends on how fast the machine is.
 */
export class VirtualTime {
  #heap: Due[] = [];
  #nowMs = 0;
  #order = 0;
  #events = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events that have happened. */
  get events(): number {
    return this.#events;
  }

  at(timeMs: number, run: () => void): Due {
    this.#order += 1;
    const due: Due = { timeMs: Math.max(timeMs, this.#nowMs), order: this.#order, run };
    push(this.#heap, due);
    return due;
  }

  after(delayMs: number, run: () => void): Due {
    return this.at(this.#nowMs + delayMs, run);
  }

  /** Resolves after that long, within the world. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms, resolve);
    });
  }

  /** Lets everything happen up to a time, or until `isOver`. */
  runUntil(endMs: number, isOver: () => boolean = () => false): Promise<void> {
    return new Promise((resolve, reject) => {
      setImmediate(() => {
        try {
          this.#run(endMs, isOver);
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /** What promises have to do is done before anything else happens; between the parts of one event. */
  settle(): void {
    settle();
  }

  #run(endMs: number, isOver: () => boolean): void {
    settle();
    while (!isOver()) {
      const next = this.#heap[0];
      if (next === undefined || next.timeMs > endMs) break;
      pop(this.#heap);
      const { run } = next;
      if (run === null) continue;
      this.#nowMs = next.timeMs;
      this.#events += 1;
      run();
      settle();
    }
    if (!isOver()) this.#nowMs = Math.max(this.#nowMs, endMs);
  }
}

function settleOf(found: unknown): () => void {
  if (typeof found !== "function") throw new Error("this runtime cannot settle promises on demand");
  return () => void Reflect.apply(found, process, []);
}

function isEarlier(a: Due, b: Due): boolean {
  return a.timeMs === b.timeMs ? a.order < b.order : a.timeMs < b.timeMs;
}

function push(heap: Due[], due: Due): void {
  let at = heap.length;
  heap.push(due);
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above];
    if (parent === undefined || !isEarlier(due, parent)) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = due;
}

function pop(heap: Due[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let below = 2 * at + 1;
    let child = heap[below];
    if (child === undefined) break;
    const other = heap[below + 1];
    if (other !== undefined && isEarlier(other, child)) {
      below += 1;
      child = other;
    }
    if (!isEarlier(child, last)) break;
    heap[at] = child;
    at = below;
  }
  heap[at] = last;
}
