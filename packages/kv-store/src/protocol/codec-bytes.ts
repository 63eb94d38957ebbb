import { Packr } from "msgpackr";
import { malformed } from "./codec-value.ts";
import { decodeText } from "./text-decoding.ts";

/** Deeper than any message nests: frame, message, ops, op, reply, stat. */
const DEPTH_MAX = 12;
/** Items of all lists of one value together: three times what the longest record or message that is read so has. */
const ITEMS_MAX = 256;
const NO_BYTES = new Uint8Array(0);
const NO_VIEW = new DataView(NO_BYTES.buffer);

/**
 * Packs and unpacks MessagePack of positional arrays, strings, byte strings, numbers, booleans and null. It remembers the
 * buffer it read last: the messages and entries that come one after the other lie in one buffer. Unpacks on its own,
 * because what the library makes of a text depends on whether its addon is there.
 */
class ValueCodec {
  readonly #packr = new Packr({ useRecords: false, moreTypes: false, variableMapSize: true });
  #whole: Uint8Array = NO_BYTES;
  #view: DataView = NO_VIEW;
  /** Of what is unpacked; nothing is read beyond. */
  #end = 0;
  #at = 0;
  /** Of what is walked. */
  #itemsLeft = 0;
  #itemsMax = 0;

  pack(value: readonly unknown[]): Uint8Array {
    return this.#packr.pack(value);
  }

  unpack(bytes: Uint8Array, from: number, itemsMax: number): unknown {
    if (this.endOf(bytes, from, itemsMax) !== bytes.byteLength) notOneValue();
    this.#at = bytes.byteOffset + from;
    return this.#next();
  }

  /** Position in `bytes` after the value at `from`. */
  endOf(bytes: Uint8Array, from: number, itemsMax: number): number {
    this.#wrap(bytes);
    this.#itemsMax = itemsMax;
    this.#itemsLeft = itemsMax;
    this.#end = bytes.byteOffset + bytes.byteLength;
    const end = this.#skipValue(bytes.byteOffset + from, 0);
    return end === -1 ? notOneValue() : end - bytes.byteOffset;
  }

  #wrap(bytes: Uint8Array): void {
    if (bytes.buffer === this.#whole.buffer) return;
    this.#whole = new Uint8Array(bytes.buffer);
    this.#view = new DataView(bytes.buffer);
  }

  /** The value at the position, whose shape `#skipValue` has found to be ours. */
  #next(): unknown {
    const token = this.#unsigned(1);
    if (token < 0x80) return token;
    if (token >= 0xe0) return token - 0x100;
    if (token >= 0xa0 && token < 0xc0) return this.#text(token & 0x1f);
    if (token >= 0x90 && token < 0xa0) return this.#items(token & 0x0f);
    switch (token) {
      case 0xc0:
        return null;
      case 0xc2:
      case 0xc3:
        return token === 0xc3;
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#unsigned(1 << (token - 0xcc));
      case 0xd0:
      case 0xd1:
      case 0xd2:
        return this.#signed(1 << (token - 0xd0));
      case 0xcb:
        return this.#view.getFloat64(this.#passed(8));
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#bytes(this.#unsigned(1 << (token - 0xc4)));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#unsigned(1 << (token - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#items(this.#unsigned(2 << (token - 0xdc)));
      default:
        return notOneValue();
    }
  }

  #items(count: number): readonly unknown[] {
    const items: unknown[] = [];
    for (let i = 0; i < count; i += 1) items.push(this.#next());
    return items;
  }

  #text(length: number): string {
    const start = this.#passed(length);
    return decodeText(this.#whole, start, this.#at);
  }

  #bytes(length: number): Uint8Array {
    const start = this.#passed(length);
    return this.#whole.subarray(start, this.#at);
  }

  #unsigned(size: number): number {
    return this.#lengthAt(this.#passed(size), size);
  }

  #signed(size: number): number {
    const value = this.#unsigned(size);
    return value < 2 ** (8 * size - 1) ? value : value - 2 ** (8 * size);
  }

  /** Passes over that many bytes; returns where they begin. */
  #passed(count: number): number {
    const start = this.#at;
    this.#at = start + count;
    return start;
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
    if (count > this.#itemsLeft) malformed(`more than ${this.#itemsMax} items`);
    this.#itemsLeft -= count;
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

  /** Big-endian; bytes beyond the end make one that reaches beyond it too. */
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
 * What {@link packValue} packed, at `bytes` from `start` to the end. Everything else throws `ProtocolError`: the
 * shape is walked first, so that nothing is made of an extension, a map, a record, a deep nesting, a length that the bytes
 * do not cover, or more than `itemsMax` items, those of inner lists among them. The walk ends where there are too many: the
 * items of a list that goes beyond are not looked at. Texts are as {@link decodeText} reads them. Byte strings are plain
 * Uint8Arrays that alias `bytes`.
 */
export function unpackValue(
  bytes: Uint8Array,
  start: number,
  itemsMax: number = ITEMS_MAX,
): unknown {
  return codec.unpack(bytes, start, itemsMax);
}

/** Position after the value at `from`; throws `ProtocolError` if none of ours, or none of so few items, stands there. */
export function valueEnd(bytes: Uint8Array, from: number, itemsMax: number): number {
  return codec.endOf(bytes, from, itemsMax);
}

function notOneValue(): never {
  return malformed("not one well-formed value");
}
