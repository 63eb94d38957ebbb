import { assert } from "./assert.ts";

/**
 * A small seeded generator (a Weyl sequence with a mixing step, 32 bits of state). Each core holds its own, so that a run
 * is repeated exactly by repeating its inputs; not fit for anything secret.
 */
export class Prng {
  #state: number;

  /** `stream` tells generators of equal seed apart: nodes configured alike must not draw alike. */
  constructor(seed: number, stream: number) {
    assert(Number.isSafeInteger(seed), "prng_seed_integer");
    assert(Number.isSafeInteger(stream), "prng_stream_integer");
    const high = Math.floor(seed / 0x1_0000_0000);
    this.#state = Math.imul(seed ^ high, 0x85eb_ca6b) ^ Math.imul(stream, 0xc2b2_ae35);
  }

  /** A whole number from 0 up to but not including `bound`. */
  below(bound: number): number {
    assert(Number.isSafeInteger(bound) && bound > 0, "prng_bound_positive");
    this.#state = (this.#state + 0x9e37_79b9) | 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0_aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97);
    mixed = (mixed ^ (mixed >>> 15)) >>> 0;
    return Math.floor((mixed / 0x1_0000_0000) * bound);
  }
}
