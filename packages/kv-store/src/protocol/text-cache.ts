/** A megabyte or two when all are taken. */
const SLOTS = 16_384;
/** Longer texts are decoded anew each time: a cache of them could hold a lot. */
const BYTES_MAX = 128;

/**
 * The short ASCII texts read lately. The same paths come again and again: finding one here costs less than making a new
 * string, and a string that was looked up before has its hash with it. What is in it changes no result.
 */
export class TextCache {
  readonly #slots: string[] = Array.from({ length: SLOTS }, () => "");
  readonly #units: number[] = [];

  /** The text at `bytes` from `start` to `end`; null: not short, or not ASCII. */
  read(bytes: Uint8Array, start: number, end: number): string | null {
    const length = end - start;
    if (length > BYTES_MAX) return null;
    let hash = length;
    let all = 0;
    for (let at = start; at < end; at += 1) {
      const unit = bytes[at] ?? 0;
      hash = (Math.imul(hash, 31) + unit) | 0;
      all |= unit;
    }
    if (all >= 0x80) return null;
    const slot = (hash ^ (hash >>> 12)) & (SLOTS - 1);
    const known = this.#slots[slot] ?? "";
    if (isSame(known, bytes, start, length)) return known;
    const text = this.#make(bytes, start, length);
    this.#slots[slot] = text;
    return text;
  }

  #make(bytes: Uint8Array, start: number, length: number): string {
    const units = this.#units;
    units.length = length;
    for (let i = 0; i < length; i += 1) units[i] = bytes[start + i] ?? 0;
    // Not spread, which walks an iterator: this is four times as fast.
    return String.fromCharCode.apply(null, units);
  }
}

function isSame(text: string, bytes: Uint8Array, start: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let i = 0; i < length; i += 1) {
    if (text.charCodeAt(i) !== bytes[start + i]) return false;
  }
  return true;
}
