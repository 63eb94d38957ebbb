import { performance } from "node:perf_hooks";
import type { MonotonicClock, Timer } from "../ports.ts";

/** Longer delays overflow the runtime's timers and fire at once. */
const TIMEOUT_MS_MAX = 2_000_000_000;

/**
 * The machine's monotonic clock. A timer never fires before its time by this very clock: the runtime's may, by a fraction
 * of a millisecond. `endOfTurn` is the runtime's check phase: everything that the kernel had ready in this turn, on all
 * sockets and from finished file operations, has been taken in by then, while a next-tick callback would run between two
 * sockets and see the frames of one of them only.
 */
export class SystemClock implements MonotonicClock {
  nowMs(): number {
    return performance.now();
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer = new DeadlineTimer(performance.now() + delayMs, callback);
    timer.arm();
    return timer;
  }

  every(periodMs: number, callback: () => void): Timer {
    let dueMs = performance.now() + periodMs;
    const fire = (): void => {
      const now = performance.now();
      dueMs += periodMs;
      // After a stall the periods that passed are skipped, not made up for.
      if (dueMs <= now) dueMs = now + periodMs;
      timer.rearm(dueMs);
      callback();
    };
    const timer = new DeadlineTimer(dueMs, fire);
    timer.arm();
    return timer;
  }

  endOfTurn(callback: () => void): void {
    setImmediate(callback);
  }
}

class DeadlineTimer implements Timer {
  readonly #callback: () => void;
  #dueMs: number;
  #timeout: NodeJS.Timeout | null = null;
  #cancelled = false;

  constructor(dueMs: number, callback: () => void) {
    this.#dueMs = dueMs;
    this.#callback = callback;
  }

  arm(): void {
    const leftMs = Math.ceil(this.#dueMs - performance.now());
    this.#timeout = setTimeout(
      () => this.#onTimeout(),
      Math.min(TIMEOUT_MS_MAX, Math.max(1, leftMs)),
    );
  }

  rearm(dueMs: number): void {
    if (this.#cancelled) return;
    this.#dueMs = dueMs;
    this.arm();
  }

  cancel(): void {
    this.#cancelled = true;
    if (this.#timeout !== null) clearTimeout(this.#timeout);
  }

  #onTimeout(): void {
    if (performance.now() < this.#dueMs) this.arm();
    else this.#callback();
  }
}
