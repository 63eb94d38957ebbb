import type { MonotonicClock, Timer } from "../ports.ts";

interface Due {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** Virtual time: it stands still unless it is advanced, and everything happens within the call that advances it. */
export class ManualClock implements MonotonicClock {
  #nowMs: number;
  #order = 0;
  #timers: Due[] = [];
  #endOfTurn: (() => void)[] = [];

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const due = this.#add(this.#nowMs + Math.max(0, delayMs), callback);
    return { cancel: () => this.#remove(due) };
  }

  every(periodMs: number, callback: () => void): Timer {
    const arm = (dueMs: number): Due =>
      this.#add(dueMs, () => {
        // After a stall the periods that passed are skipped, not made up for.
        const nextMs = dueMs + periodMs;
        due = arm(nextMs > this.#nowMs ? nextMs : this.#nowMs + periodMs);
        callback();
      });
    let due = arm(this.#nowMs + periodMs);
    return { cancel: () => this.#remove(due) };
  }

  endOfTurn(callback: () => void): void {
    this.#endOfTurn.push(callback);
  }

  /** When the next timer falls due; null when there is none. */
  nextDueMs(): number | null {
    return this.#timers[0]?.dueMs ?? null;
  }

  /** Moves on by `ms`; whatever falls due on the way runs at its time, each followed by the end of its turn. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    this.finishTurn();
    for (;;) {
      const due = this.#timers[0];
      if (due === undefined || due.dueMs > endMs) break;
      this.#timers.shift();
      this.#nowMs = Math.max(this.#nowMs, due.dueMs);
      due.callback();
      this.finishTurn();
    }
    this.#nowMs = endMs;
  }

  /** Time passes while nothing runs, as when a process is stopped: what fell due waits for the next {@link advance}. */
  stall(ms: number): void {
    this.#nowMs += ms;
  }

  /** Runs what waits for the end of the turn, and what comes up meanwhile; true if there was any. */
  finishTurn(): boolean {
    let ran = false;
    while (this.#endOfTurn.length > 0) {
      const callbacks = this.#endOfTurn;
      this.#endOfTurn = [];
      for (const callback of callbacks) callback();
      ran = true;
    }
    return ran;
  }

  #add(dueMs: number, callback: () => void): Due {
    this.#order += 1;
    const due: Due = { dueMs, order: this.#order, callback };
    let at = this.#timers.length;
    // From the end: timers mostly come in the order in which they fall due.
    while (at > 0 && (this.#timers[at - 1]?.dueMs ?? 0) > dueMs) at -= 1;
    this.#timers.splice(at, 0, due);
    return due;
  }

  #remove(due: Due): void {
    const at = this.#timers.indexOf(due);
    if (at >= 0) this.#timers.splice(at, 1);
  }
}
