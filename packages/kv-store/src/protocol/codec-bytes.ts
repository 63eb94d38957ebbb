import { Packr } from "msgpackr";

import { ProtocolError } from "./protocol-error.ts";

/** Deeper than any message nests: frame, message, ops, op, reply, stat. */
const DEPTH_MAX = 12;
const NO_BYTES = new Uint8Array(0);

/**
 * Packs and unpacks MessagePack of positional arrays, strings, byte strings, numbers, booleans and null. It remembers the
 * buffer it read last: the messages and entries that come one after the other lie in one buffer, and to wrap it anew
 * for each of them takes a third of the time of reading one.
 */
class ValueCodec {
  readonly #packr = new Packr({ useRecords: false, moreTypes: false, variableMapSize: true });
  #whole: Uint8Array = NO_BYTES;
  #end = 0;

  pack(value: readonly unknown[]): Uint8Array {
    return this.#packr.pack(value);
  }

  unpack(bytes: Uint8Array, from: number): unknown {
    const start = bytes.byteOffset + from;
    const end = bytes.byteOffset + bytes.byteLength;
    if (this.endOf(bytes, from) !== bytes.byteLength) notOneValue();
    try {
      return this.#packr.unpack(this.#whole, { start, end });
    } catch (error) {
      throw new ProtocolError("PROTOCOL_ERROR", String(error));
    }
  }

  /** Position in `bytes` after the value at `from`. */
  endOf(bytes: Uint8Array, from: number): number {
    this.#wrap(bytes);
    this.#end = bytes.byteOffset + bytes.byteLength;
    const end = this.#skipValue(bytes.byteOffset + from, 0);
    return end === -1 ? notOneValue() : end - bytes.byteOffset;
  }

  #wrap(bytes: Uint8Array): void {
    if (bytes.buffer === this.#whole.buffer) return;
    this.#whole = new Uint8Array(bytes.buffer);
  }

  /** Position after the value at `position`, or -1 where the bytes are none of ours. */
  #skipValue(position: number, depth: number): number {
    // Beyond the end stands an unused token, which the last branch refuses.
    const token = position < this.#end ? (this.#whole[position] ?? 0xc1) : 0xc1;
    const next = position + 1;
    if (token < 0x80 || token >= 0xe0) return next;
    if (token >= 0xa0 && token < 0xc0) return this.#within(next + (token & 0x1f));
    if (token >= 0x90 && token < 0xa0) return this.#skipItems(next, token & 0x0f, depth);
    switch (token) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return next;
      case 0xcc:
      case 0xd0:
        return this.#within(next + 1);
      case 0xcd:
      case 0xd1:
        return this.#within(next + 2);
      case 0xce:
      case 0xd2:
        return this.#within(next + 4);
      case 0xcb:
        return this.#within(next + 8);
      case 0xc4:
      case 0xd9:
        return this.#within(next + 1 + this.#lengthAt(next, 1));
      case 0xc5:
      case 0xda:
        return this.#within(next + 2 + this.#lengthAt(next, 2));
      case 0xc6:
      case 0xdb:
        return this.#within(next + 4 + this.#lengthAt(next, 4));
      case 0xdc:
        return this.#skipItems(next + 2, this.#lengthAt(next, 2), depth);
      case 0xdd:
        return this.#skipItems(next + 4, this.#lengthAt(next, 4), depth);
      default:
        return -1;
    }
  }

  #skipItems(position: number, count: number, depth: number): number {
    // Every item takes a byte at least, so a length beyond the bytes is refused before anything is allocated for it.
    if (depth >= DEPTH_MAX || count > this.#end - position) return -1;
    let at = position;
    for (let i = 0; i < count; i += 1) {
      at = this.#skipValue(at, depth + 1);
      if (at === -1) return -1;
    }
    return at;
  }

  #within(position: number): number {
    return position <= this.#end ? position : -1;
  }

  /** Big-endian length; bytes beyond the end make one that reaches beyond it too. */
  #lengthAt(position: number, size: number): number {
    let length = 0;
    for (let i = position; i < position + size; i += 1) {
      length = length * 256 + (i < this.#end ? (this.#whole[i] ?? 255) : 255);
    }
    return length;
  }
}

const codec = new ValueCodec();

/**
 * MessagePack of positional arrays, strings, byte strings, numbers, booleans and null. The result is a view into a
 * shared pool that is never overwritten: good to send, to be copied where it is kept.
 */
export function packValue(value: readonly unknown[]): Uint8Array {
  return codec.pack(value);
}

/**
 * What {@link packValue} packed, at `bytes` from `start` to the end. Everything else throws {@link ProtocolError}: the
 * shape is walked first, so that the library never sees an extension, a map, a record, a deep nesting, or a length that
 * the bytes do not cover. Byte strings are plain Uint8Arrays that alias `bytes`.
 */
export function unpackValue(bytes: Uint8Array, start: number): unknown {
  return codec.unpack(bytes, start);
}

/** Position after the value at `from`; throws {@link ProtocolError} if none of ours stands there. */
export function valueEnd(bytes: Uint8Array, from: number): number {
  return codec.endOf(bytes, from);
}

function notOneValue(): never {
  throw new ProtocolError("PROTOCOL_ERROR", "not one well-formed value");
}
