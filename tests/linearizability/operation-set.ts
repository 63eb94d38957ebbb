/** A set of operation numbers as a bitset, with a hash that is kept up to date (Zobrist 1970). */
export class OperationSet {
  readonly #words: Uint32Array;
  readonly #keys: Int32Array;
  #hash = 0;

  constructor(size: number) {
    this.#words = new Uint32Array((size + 31) >> 5);
    this.#keys = new Int32Array(size);
    for (let number = 0; number < size; number += 1) this.#keys[number] = scramble(number);
  }

  get hash(): number {
    return this.#hash;
  }

  add(number: number): void {
    this.#flip(number);
  }

  remove(number: number): void {
    this.#flip(number);
  }

  copy(): Uint32Array {
    return this.#words.slice();
  }

  equals(words: Uint32Array): boolean {
    return this.#words.every((word, index) => word === words[index]);
  }

  #flip(number: number): void {
    const word = number >> 5;
    this.#words[word] = (this.#words[word] ?? 0) ^ (1 << (number & 31));
    this.#hash ^= this.#keys[number] ?? 0;
  }
}

/** Spreads consecutive numbers over 32 bits. */
function scramble(number: number): number {
  let bits = Math.imul(number + 1, 0x9e3779b1);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
