import type { Random } from "../ports.ts";

/** Links one process numbers before it would draw another base. */
const LINKS_MAX = 2 ** 22;

/** Numbers the links of one process: a random base, then a counter below it. */
export class LinkNonces {
  readonly #random: Random;
  #base = 0;
  #counter = LINKS_MAX;

  constructor(random: Random) {
    this.#random = random;
  }

  next(): number {
    this.#counter += 1;
    if (this.#counter >= LINKS_MAX) {
      this.#counter = 0;
      // 30 bits above 22 stay within what a frame can carry.
      for (const byte of this.#random.bytes(4)) this.#base = (this.#base * 256 + byte) % 2 ** 30;
    }
    return this.#base * LINKS_MAX + this.#counter;
  }
}

/**
 * True if the link `nonce` may take the place of `current`. Of two links of one process the one with the higher number is
 * later, in whatever order they arrive. With another base the process was restarted: whatever it says is later.
 */
export function isLaterLink(nonce: number, current: number): boolean {
  const sameProcess = Math.floor(nonce / LINKS_MAX) === Math.floor(current / LINKS_MAX);
  return !sameProcess || nonce > current;
}
