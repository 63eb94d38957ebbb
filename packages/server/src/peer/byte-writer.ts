import { freshBytes } from "../storage/fresh-bytes.ts";

const UTF8 = new TextEncoder();
const WORD = 4_294_967_296;

/**
 * Writes a frame's numbers and bytes one after the other, big-endian. The capacity is the writer's best guess of what is to
 * come; a wrong one costs a copy.
 */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;

  constructor(capacity: number) {
    this.#bytes = freshBytes(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#at] = value;
    this.#at += 1;
  }

  bool(value: boolean): void {
    this.u8(value ? 1 : 0);
  }

  u16(value: number): void {
    this.#reserve(2);
    this.#view.setUint16(this.#at, value);
    this.#at += 2;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
  }

  /** A safe integer from 0, in 8 bytes. */
  u53(value: number): void {
    this.#reserve(8);
    const high = Math.floor(value / WORD);
    this.#view.setUint32(this.#at, high);
    this.#view.setUint32(this.#at + 4, value - high * WORD);
    this.#at += 8;
  }

  /** Length and bytes. */
  bytes(value: Uint8Array): void {
    this.u32(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  /** Length and UTF-8. */
  text(value: string): void {
    const lengthAt = this.#at;
    this.u32(0);
    this.#reserve(value.length * 3);
    const { written } = UTF8.encodeInto(value, this.#bytes.subarray(this.#at));
    this.#view.setUint32(lengthAt, written);
    this.#at += written;
  }

  /** What was written. The writer must not be used any more. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  #reserve(count: number): void {
    const needed = this.#at + count;
    if (needed <= this.#bytes.length) return;
    const grown = freshBytes(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
