import type { WallClock } from "../ports.ts";

/** A calendar that a test sets; it may jump either way. */
export class ManualWallClock implements WallClock {
  #nowMs: number;

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  set(nowMs: number): void {
    this.#nowMs = nowMs;
  }
}
