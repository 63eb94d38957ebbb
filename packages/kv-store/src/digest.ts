import { assert } from "./assert.ts";

/** Hex digits of a rendered sum. */
export const DIGEST_DIGITS = 16;

/** What an item of the state is, so that no two kinds can be mistaken for each other. */
export const ITEM = { znode: 1, session: 2, attach: 3, reply: 4, base: 5, meta: 6 } as const;

const FIRST = 0x9e3779b1;
const SECOND = 0x85ebca6b;
const THIRD = 0xc2b2ae35;
const FOURTH = 0x27d4eb2f;

/** Hashes one item of the state into two independent 32-bit lanes. Not linear: sums of items do not cancel out. */
export class Hasher {
  #a = 0;
  #b = 0;

  get a(): number {
    return this.#a;
  }

  get b(): number {
    return this.#b;
  }

  begin(seed: number): void {
    assert(seed >= ITEM.znode && seed <= ITEM.meta, "hash_of_a_known_item");
    this.#a = Math.imul(seed, FIRST) ^ 0x2545f491;
    this.#b = Math.imul(seed, SECOND) ^ 0x4f6cdd1d;
  }

  /** 32 bits. */
  word(value: number): void {
    const a = Math.imul(this.#a ^ value, FIRST);
    this.#a = a ^ (a >>> 15);
    const b = Math.imul((this.#b + value) | 0, SECOND);
    this.#b = (((b << 13) | (b >>> 19)) + 0x38b34ae5) | 0;
  }

  /** A safe integer. */
  number(value: number): void {
    const low = value | 0;
    const high = low === value ? low >> 31 : Math.floor(value / 4_294_967_296) | 0;
    const a = Math.imul(this.#a ^ low ^ Math.imul(high, THIRD), FIRST);
    this.#a = a ^ (a >>> 15);
    const b = Math.imul((this.#b + low + Math.imul(high, FOURTH)) | 0, SECOND);
    this.#b = (((b << 13) | (b >>> 19)) + 0x38b34ae5) | 0;
  }

  string(value: string): void {
    this.word(value.length);
    for (let i = 0; i < value.length; i += 1) this.word(value.charCodeAt(i));
  }

  bytes(value: Uint8Array): void {
    const length = value.length;
    this.word(length);
    const whole = length & ~3;
    // In variables: the lanes in fields would be read and written for every word.
    let a = this.#a;
    let b = this.#b;
    for (let i = 0; i < whole; i += 4) {
      const word =
        (value[i] ?? 0) |
        ((value[i + 1] ?? 0) << 8) |
        ((value[i + 2] ?? 0) << 16) |
        ((value[i + 3] ?? 0) << 24);
      a = Math.imul(a ^ word, FIRST);
      a ^= a >>> 15;
      b = Math.imul((b + word) | 0, SECOND);
      b = (((b << 13) | (b >>> 19)) + 0x38b34ae5) | 0;
    }
    this.#a = a;
    this.#b = b;
    for (let i = whole; i < length; i += 1) this.word(value[i] ?? 0);
  }

  end(): void {
    const a = avalanche(this.#a ^ (this.#b >>> 11));
    this.#b = avalanche(Math.imul(this.#b, 5) ^ a);
    this.#a = a;
  }
}

function avalanche(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return h ^ (h >>> 16);
}

/** Sum of the hashes of all items, lane by lane, in any order. */
export class DigestSum {
  #a = 0;
  #b = 0;

  add(a: number, b: number): void {
    assert((a | 0) === a && (b | 0) === b, "hash_lanes_of_32_bits");
    this.#a = (this.#a + a) | 0;
    this.#b = (this.#b + b) | 0;
  }

  subtract(a: number, b: number): void {
    assert((a | 0) === a && (b | 0) === b, "hash_lanes_of_32_bits");
    this.#a = (this.#a - a) | 0;
    this.#b = (this.#b - b) | 0;
  }

  /** This sum and one more item in {@link DIGEST_DIGITS}. */
  render(a: number, b: number): string {
    return hex(this.#a + a) + hex(this.#b + b);
  }
}

function hex(lane: number): string {
  const digits = (lane >>> 0).toString(16).padStart(8, "0");
  assert(digits.length === 8, "lane_in_eight_digits");
  return digits;
}
