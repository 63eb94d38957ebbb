import { freshBytes } from "./fresh-bytes.ts";

/** A first buffer is no smaller, so that it does not grow step by step from nothing. */
const BYTES_MIN = 65_536;
/** Default of what is kept: more than most writes of a busy node take. */
const KEPT_BYTES_MAX = 4_194_304;

/**
 * Memory for bytes that are done with before the next ones are laid out: a block, a record, a framed value. One buffer is
 * used again and again, because the kernel hands fresh memory out page by page, and those page faults cost more than
 * what is then done in it.
 */
export class Scratch {
  readonly #keptBytesMax: number;
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  /** A buffer that grew beyond `keptBytesMax` is given up by the first call that needs no more than that. */
  constructor(keptBytesMax: number = KEPT_BYTES_MAX) {
    this.#keptBytesMax = keptBytesMax;
  }

  /**
   * A whole buffer of at least `bytes` bytes, holding whatever was in it before; the caller's until the next call. It comes
   * uncut because a caller may want another view of it than bytes.
   */
  take(bytes: number): Uint8Array<ArrayBuffer> {
    const held = this.#buffer.length;
    const isTooLarge = held > this.#keptBytesMax && bytes <= this.#keptBytesMax;
    if (bytes > held || isTooLarge) {
      const doubled = Math.max(2 * held, BYTES_MIN);
      this.#buffer = freshBytes(Math.max(bytes, Math.min(doubled, this.#keptBytesMax)));
    }
    return this.#buffer;
  }
}
