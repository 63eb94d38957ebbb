import type { ClientRandom } from "./ports.ts";

export interface BackoffLimits {
  /** Upper end of the first pause, ms. */
  readonly firstMs: number;
  /** Upper end of every later pause, ms. */
  readonly capMs: number;
}

/**
 * Pauses that double their upper end, each drawn evenly from zero to there: clients that failed together do not come
 * back together.
 */
export class Backoff {
  readonly #limits: BackoffLimits;
  readonly #random: ClientRandom;
  #ceilingMs: number;

  constructor(limits: BackoffLimits, random: ClientRandom) {
    this.#limits = limits;
    this.#random = random;
    this.#ceilingMs = limits.firstMs;
  }

  /** The next pause, ms. */
  next(): number {
    const pauseMs = this.#random.fraction() * this.#ceilingMs;
    this.#ceilingMs = Math.min(this.#limits.capMs, this.#ceilingMs * 2);
    return pauseMs;
  }

  /** It worked: the next pause is a first one again. */
  reset(): void {
    this.#ceilingMs = this.#limits.firstMs;
  }
}
