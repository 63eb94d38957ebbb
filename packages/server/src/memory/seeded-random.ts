import type { Random } from "../ports.ts";

/** Bytes that follow from a seed (sfc32): good enough to look random, fit for no secret. */
export class SeededRandom implements Random {
  #a: number;
  #b: number;
  #c = 0x9e37_79b9;
  #counter = 1;

  constructor(seed: number) {
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 4_294_967_296) >>> 0;
    // The first numbers still resemble the seed.
    for (let round = 0; round < 15; round += 1) this.nextUint32();
  }

  /** In [0, 2^32). */
  nextUint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + sum) | 0;
    return sum >>> 0;
  }

  /** In [0, 1). */
  nextFraction(): number {
    return this.nextUint32() / 4_294_967_296;
  }

  /** A whole number in [0, bound). */
  nextBelow(bound: number): number {
    return Math.floor(this.nextFraction() * bound);
  }

  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count; at += 1) bytes[at] = this.nextUint32() & 0xff;
    return bytes;
  }
}
