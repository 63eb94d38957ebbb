/** Reads what LevelDB writes numbers and text with: seven bits a byte, the lowest first, and a length before text. */
export class LevelReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Null: they end in the middle of one, or it is none that fits a number. */
  number(): number | null {
    let number = 0;
    for (let scale = 1; scale <= Number.MAX_SAFE_INTEGER; scale *= 128) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) return null;
      this.#at += 1;
      number += (byte & 0x7f) * scale;
      if (byte < 128) return Number.isSafeInteger(number) ? number : null;
    }
    return null;
  }

  /** False: there are not so many. */
  skip(bytes: number): boolean {
    this.#at += bytes;
    return this.#at <= this.#bytes.length;
  }

  /** Passes over a text. False: they end before it does. */
  skipText(): boolean {
    const length = this.number();
    return length !== null && this.skip(length);
  }
}
