/** How long somebody who follows a value may go on saying another one than it is. */
export class Lag {
  readonly #limitMs: number;
  #sinceMs: number | null = null;
  #said: number | null = null;
  #is: number | null = null;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /**
   * True: too long. Counted from when both were first seen as they are now: before that the value may have been another
   * one, and a follower that moves is on its way.
   */
  isTooLong(nowMs: number, said: number | null, is: number | null): boolean {
    if (said === is) {
      this.#sinceMs = null;
      return false;
    }
    if (this.#sinceMs === null || said !== this.#said || is !== this.#is) this.#sinceMs = nowMs;
    this.#said = said;
    this.#is = is;
    return nowMs - this.#sinceMs > this.#limitMs;
  }
}
