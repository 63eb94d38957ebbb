import { Packr } from "msgpackr";

import { ProtocolError } from "./protocol-error.ts";

/** Deeper than any message nests: frame, message, ops, op, reply, stat. */
const DEPTH_MAX = 12;

const packr = new Packr({ useRecords: false, moreTypes: false, variableMapSize: true });

/**
 * MessagePack of positional arrays, strings, byte strings, numbers, booleans and null. The result is a view into a
 * shared pool that is never overwritten: good to send, to be copied where it is kept.
 */
export function packValue(value: readonly unknown[]): Uint8Array {
  return packr.pack(value);
}

/**
 * What {@link packValue} packed. Everything else throws {@link ProtocolError}: the shape is walked first, so that the
 * library never sees an extension, a map, a record, a deep nesting, or a length that the bytes do not cover. Byte
 * strings are plain Uint8Arrays that alias `bytes`.
 */
export function unpackValue(bytes: Uint8Array, start: number): unknown {
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset + start, bytes.byteLength - start);
  const end = skipValue(plain, 0, 0);
  if (end !== plain.length) throw new ProtocolError("PROTOCOL_ERROR", "not one well-formed value");
  try {
    return packr.unpack(plain);
  } catch (error) {
    throw new ProtocolError("PROTOCOL_ERROR", String(error));
  }
}

/** Position after the value at `position`, or -1 where the bytes are none of ours. */
function skipValue(bytes: Uint8Array, position: number, depth: number): number {
  // Beyond the end this reads undefined, which the last branch refuses.
  const token = bytes[position] ?? 0xc1;
  const next = position + 1;
  if (token < 0x80 || token >= 0xe0) return next;
  if (token >= 0xa0 && token < 0xc0) return within(bytes, next + (token & 0x1f));
  if (token >= 0x90 && token < 0xa0) return skipItems(bytes, next, token & 0x0f, depth);
  switch (token) {
    case 0xc0:
    case 0xc2:
    case 0xc3:
      return next;
    case 0xcc:
    case 0xd0:
      return within(bytes, next + 1);
    case 0xcd:
    case 0xd1:
      return within(bytes, next + 2);
    case 0xce:
    case 0xd2:
      return within(bytes, next + 4);
    case 0xcb:
      return within(bytes, next + 8);
    case 0xc4:
    case 0xd9:
      return within(bytes, next + 1 + lengthAt(bytes, next, 1));
    case 0xc5:
    case 0xda:
      return within(bytes, next + 2 + lengthAt(bytes, next, 2));
    case 0xc6:
    case 0xdb:
      return within(bytes, next + 4 + lengthAt(bytes, next, 4));
    case 0xdc:
      return skipItems(bytes, next + 2, lengthAt(bytes, next, 2), depth);
    case 0xdd:
      return skipItems(bytes, next + 4, lengthAt(bytes, next, 4), depth);
    default:
      return -1;
  }
}

function skipItems(bytes: Uint8Array, position: number, count: number, depth: number): number {
  // Every item takes a byte at least, so a length beyond the bytes is refused before anything is allocated for it.
  if (depth >= DEPTH_MAX || count > bytes.length - position) return -1;
  let at = position;
  for (let i = 0; i < count; i += 1) {
    at = skipValue(bytes, at, depth + 1);
    if (at === -1) return -1;
  }
  return at;
}

function within(bytes: Uint8Array, position: number): number {
  return position <= bytes.length ? position : -1;
}

function lengthAt(bytes: Uint8Array, position: number, size: number): number {
  let length = 0;
  for (let i = 0; i < size; i += 1) length = length * 256 + (bytes[position + i] ?? 255);
  return length;
}
