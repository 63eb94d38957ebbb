import { packValue } from "./codec-bytes.ts";
import { wellFormed } from "./codec-value.ts";

const CHUNK_BYTES = 65_536;
/** Longest text that is written unit by unit. */
const SHORT_TEXT_MAX = 128;
const NO_BYTES = new Uint8Array(0);

const float = new DataView(new ArrayBuffer(8));

/**
 * Writes MessagePack one value after the other, byte for byte as `packValue` does, without a tree of values in between.
 * What it gives out is a view into a chunk that is not overwritten before `reuse`: good to send, to be copied where it is
 * kept longer than its neighbours. One writer makes one message after another.
 */
export class ValueWriter {
  readonly #chunkBytes: number;
  #chunk: Uint8Array = NO_BYTES;
  #start = 0;
  #at = 0;

  /** `chunkBytes`: of one chunk, unless a message takes more. Default 64 KiB. */
  constructor(chunkBytes: number = CHUNK_BYTES) {
    this.#chunkBytes = chunkBytes;
  }

  /** Nobody looks any more at what it gave out: the chunk is filled anew. */
  reuse(): void {
    this.#start = 0;
    this.#at = 0;
  }

  /** Begins a message; leaves `room` zero bytes at its front. */
  begin(room: number = 0): void {
    this.#start = this.#at;
    if (room === 0) return;
    this.#reserve(room);
    this.#chunk.fill(0, this.#at, this.#at + room);
    this.#at += room;
  }

  /** Bytes of the message so far. */
  get length(): number {
    return this.#at - this.#start;
  }

  finish(): Uint8Array {
    return this.#chunk.subarray(this.#start, this.#at);
  }

  /** That many values follow as the items of a list. */
  list(count: number): void {
    this.#reserve(5);
    if (count < 16) this.#put(0x90 | count);
    else if (count < 0x1_0000) this.#tagged(0xdc, count, 2);
    else this.#tagged(0xdd, count, 4);
  }

  integer(value: number): void {
    this.#reserve(9);
    if (value >>> 0 === value) {
      if (value < 0x80) this.#put(value);
      else if (value < 0x100) this.#tagged(0xcc, value, 1);
      else if (value < 0x1_0000) this.#tagged(0xcd, value, 2);
      else this.#tagged(0xce, value, 4);
    } else if ((value | 0) === value) {
      if (value >= -0x20) this.#put(value + 0x100);
      else if (value >= -0x80) this.#tagged(0xd0, value + 0x100, 1);
      else if (value >= -0x8000) this.#tagged(0xd1, value + 0x1_0000, 2);
      else this.#tagged(0xd2, value + 0x1_0000_0000, 4);
    } else {
      this.#float(value);
    }
  }

  boolean(value: boolean): void {
    this.#reserve(1);
    this.#put(value ? 0xc3 : 0xc2);
  }

  nil(): void {
    this.#reserve(1);
    this.#put(0xc0);
  }

  /** Lone surrogates are replaced. */
  text(value: string): void {
    const { length } = value;
    if (length > SHORT_TEXT_MAX) {
      this.value(wellFormed(value));
      return;
    }
    this.#reserve(length + 2);
    const before = this.#at;
    if (length < 0x20) this.#put(0xa0 | length);
    else this.#tagged(0xd9, length, 1);
    const chunk = this.#chunk;
    let at = this.#at;
    let all = 0;
    for (let i = 0; i < length; i += 1) {
      const unit = value.charCodeAt(i);
      all |= unit;
      chunk[at] = unit;
      at += 1;
    }
    this.#at = at;
    if (all < 0x80) return;
    this.#at = before;
    this.value(wellFormed(value));
  }

  bytes(value: Uint8Array): void {
    const { length } = value;
    this.#reserve(length + 5);
    if (length < 0x100) this.#tagged(0xc4, length, 1);
    else if (length < 0x1_0000) this.#tagged(0xc5, length, 2);
    else this.#tagged(0xc6, length, 4);
    this.#chunk.set(value, this.#at);
    this.#at += length;
  }

  /** Anything that `packValue` packs. */
  value(value: unknown): void {
    // Without the first byte, which says that a list of one item follows.
    const packed = packValue([value]);
    this.#reserve(packed.length);
    this.#chunk.set(packed.subarray(1), this.#at);
    this.#at += packed.length - 1;
  }

  #put(byte: number): void {
    this.#chunk[this.#at] = byte;
    this.#at += 1;
  }

  /** `value`: not negative. */
  #tagged(token: number, value: number, size: number): void {
    this.#put(token);
    if (size === 4) {
      this.#put(value >>> 24);
      this.#put((value >>> 16) & 0xff);
    }
    if (size >= 2) this.#put((value >>> 8) & 0xff);
    this.#put(value & 0xff);
  }

  #float(value: number): void {
    float.setFloat64(0, value);
    this.#put(0xcb);
    for (let i = 0; i < 8; i += 1) this.#put(float.getUint8(i));
  }

  /** Room for `count` more bytes, in a new chunk if need be, to which the message moves. */
  #reserve(count: number): void {
    const needed = this.#at + count;
    if (needed <= this.#chunk.length) return;
    const length = this.#at - this.#start;
    const chunk = new Uint8Array(Math.max(this.#chunkBytes, 2 * (length + count)));
    chunk.set(this.#chunk.subarray(this.#start, this.#at));
    this.#chunk = chunk;
    this.#start = 0;
    this.#at = length;
  }
}
