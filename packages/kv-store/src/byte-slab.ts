import { assert } from "./assert.ts";

/** V8 keeps arrays up to this size inside its own heap: cheap, and each its own. */
const OWN_HEAP_MAX = 64;
const SLAB_BYTES = 4096;
const SHARED_MAX = SLAB_BYTES / 8;
const EMPTY = new Uint8Array(0);

/**
 * Copies bytes that outlive the frame they came in. An array buffer of its own costs 2.5 µs for each value beyond 64
 * bytes, a tenth of that in a shared slab (measured on Node 20); in return a value of 65 to 512 bytes can pin at most
 * the 4 KiB slab it lies in. Smaller and larger ones pin nothing but themselves.
 */
export class ByteSlab {
  #slab: Uint8Array = EMPTY;
  #used = 0;

  copy(bytes: Uint8Array): Uint8Array {
    const length = bytes.length;
    if (length === 0) return EMPTY;
    if (length <= OWN_HEAP_MAX || length > SHARED_MAX) {
      const own = new Uint8Array(length);
      own.set(bytes);
      return own;
    }
    if (this.#used + length > this.#slab.length) {
      this.#slab = new Uint8Array(SLAB_BYTES);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used = start + length;
    assert(this.#used <= SLAB_BYTES, "slab_overrun");
    this.#slab.set(bytes, start);
    return this.#slab.subarray(start, this.#used);
  }
}
