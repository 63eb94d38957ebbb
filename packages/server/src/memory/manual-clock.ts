import type { MonotonicClock, Timer } from "../ports.ts";

/** Virtual time: stands still unless it is advanced. */
export declare class ManualClock implements MonotonicClock {
  nowMs(): number;
  after(delayMs: number, callback: () => void): Timer;
  every(periodMs: number, callback: () => void): Timer;
  endOfTurn(callback: () => void): void;
  /** Moves on, running what falls due in order of time, then of creation. */
  advance(ms: number): void;
  /** Runs what waits for the end of the turn, and what that adds; true if there was any. */
  finishTurn(): boolean;
}
