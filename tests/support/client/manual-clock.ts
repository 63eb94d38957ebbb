import type { ClientClock, Timer } from "../../../packages/client/src/ports.ts";

interface Pending {
  dueMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A client's clock that stands still until a test moves it. */
export class ManualClock implements ClientClock {
  #nowMs = 1_000;
  #aheadMs = 0;
  #order = 0;
  readonly #timers = new Set<Pending>();
  #turnEnds: (() => void)[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  aheadMs(): number {
    return this.#aheadMs;
  }

  get timerCount(): number {
    return this.#timers.size;
  }

  after(delayMs: number, callback: () => void): Timer {
    this.#order += 1;
    const timer = { dueMs: this.#nowMs + delayMs, order: this.#order, callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  endOfTurn(callback: () => void): void {
    this.#turnEnds.push(callback);
  }

  /** Runs what was put off to the end of the turn; false if there was nothing. */
  endTurn(): boolean {
    const callbacks = this.#turnEnds;
    this.#turnEnds = [];
    for (const callback of callbacks) callback();
    return callbacks.length > 0;
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    do await new Promise((resolve) => setImmediate(resolve));
    while (this.endTurn());
  }

  /** Moves time on, timer by timer. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await this.settle();
    for (let timer = this.#next(endMs); timer !== null; timer = this.#next(endMs)) {
      this.#timers.delete(timer);
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
      timer.callback();
      await this.settle();
    }
    this.#nowMs = endMs;
  }

  /** Moves time on without running anything: this process slept. */
  sleep(ms: number): void {
    this.#nowMs += ms;
  }

  /** The machine is suspended for so long: nothing runs, and timers stand still as well. */
  suspend(ms: number): void {
    this.#nowMs += ms;
    this.#aheadMs += ms;
    for (const timer of this.#timers) timer.dueMs += ms;
  }

  /** Moves to the next timer and runs it; false if there is none. */
  async step(): Promise<boolean> {
    const timer = this.#next(Number.POSITIVE_INFINITY);
    if (timer === null) return false;
    await this.advance(Math.max(0, timer.dueMs - this.#nowMs));
    return true;
  }

  #next(endMs: number): Pending | null {
    let first: Pending | null = null;
    for (const timer of this.#timers) {
      if (timer.dueMs > endMs) continue;
      const isEarlier =
        first === null ||
        timer.dueMs < first.dueMs ||
        (timer.dueMs === first.dueMs && timer.order < first.order);
      if (isEarlier) first = timer;
    }
    return first;
  }
}
