import { unpackValue, valueEnd } from "./codec-bytes.ts";
import { malformed, readErrorCode } from "./codec-value.ts";
import type { ErrorCode } from "./error-code.ts";
import {
  type FencingToken,
  fencingToken,
  type SessionId,
  sessionId,
  type WriteSeq,
  writeSeq,
  type Zxid,
  zxid,
} from "./ids.ts";
import { PROTOCOL_LIMITS } from "./limits.ts";
import { TextCache } from "./text-cache.ts";
import { decodeText } from "./text-decoding.ts";

/** UTF-16 units of a path on the wire: what is longer than a legal path still reaches the tree to be refused there. */
const PATH_UNITS_MAX = 4 * PROTOCOL_LIMITS.pathBytesMax;
const CODE_UNITS_MAX = 64;
const NO_BYTES = new Uint8Array(0);
/** In no MessagePack: stands for whatever lies beyond the end. */
const UNUSED_TOKEN = 0xc1;
const NIL = 0xc0;

const paths = new TextCache();
const float = new DataView(new ArrayBuffer(8));

/**
 * Reads MessagePack one value after the other into what the caller asks for, without a tree of values in between: what
 * every write and every read goes through. Anything else than was asked for throws `ProtocolError` PROTOCOL_ERROR. One
 * reader is opened on one message after another.
 */
export class ValueReader {
  #bytes: Uint8Array = NO_BYTES;
  #at = 0;

  open(bytes: Uint8Array, from: number): void {
    this.#bytes = plain(bytes);
    this.#at = from;
  }

  /** Everything must have been read. Lets go of the bytes. */
  close(): void {
    const rest = this.#bytes.length - this.#at;
    this.#bytes = NO_BYTES;
    this.#at = 0;
    if (rest !== 0) malformed("more bytes than one value has");
  }

  get position(): number {
    return this.#at;
  }

  /** Back to an earlier {@link position}. */
  rewind(position: number): void {
    this.#at = position;
  }

  /** Length of the list that begins here. */
  list(countMax: number): number {
    const token = this.#token();
    let count = token & 0x0f;
    if (token === 0xdc) count = this.#unsigned(2);
    else if (token === 0xdd) count = this.#unsigned(4);
    else if ((token & 0xf0) !== 0x90) malformed("expected a list");
    if (count > countMax) malformed(`more than ${countMax} items`);
    return count;
  }

  /** A list of exactly that many items begins here. */
  tuple(length: number): void {
    const count = this.list(length);
    if (count !== length) malformed(`expected ${length} fields`);
  }

  integer(min: number = 0, max: number = Number.MAX_SAFE_INTEGER): number {
    const token = this.#token();
    const value = token < 0x80 ? token : this.#wideInteger(token);
    if (value < min || value > max) malformed(`expected an integer from ${min} to ${max}`);
    return value;
  }

  boolean(): boolean {
    const token = this.#token();
    if (token !== 0xc2 && token !== 0xc3) malformed("expected a boolean");
    return token === 0xc3;
  }

  /** True, and it is read, if the next value is null. */
  nil(): boolean {
    if (this.#bytes[this.#at] !== NIL) return false;
    this.#at += 1;
    return true;
  }

  text(unitsMax: number): string {
    const start = this.#textStart();
    const text =
      paths.read(this.#bytes, start, this.#at) ?? decodeText(this.#bytes, start, this.#at);
    if (text.length > unitsMax) malformed(`more than ${unitsMax} characters`);
    return text;
  }

  /** A view of bytes. */
  bytes(bytesMax: number): Uint8Array {
    const length = this.#binaryLength();
    if (length > bytesMax) malformed(`more than ${bytesMax} bytes`);
    const start = this.#at;
    this.#skip(length);
    return this.#bytes.subarray(start, this.#at);
  }

  /** Whatever stands here, of at most `itemsMax` items, as `unpackValue` gives it. */
  value(itemsMax: number): unknown {
    const end = valueEnd(this.#bytes, this.#at, itemsMax);
    const value = unpackValue(this.#bytes.subarray(0, end), this.#at, itemsMax);
    this.#at = end;
    return value;
  }

  /** A path, unchecked but bounded. */
  path(): string {
    return this.text(PATH_UNITS_MAX);
  }

  /** Data of a znode; what is too large for one reaches the tree to be refused there. */
  data(): Uint8Array {
    return this.bytes(PROTOCOL_LIMITS.frameBytesMax);
  }

  zxid(): Zxid {
    return zxid(this.integer());
  }

  writeSeq(): WriteSeq {
    return writeSeq(this.integer(1));
  }

  /** 0, or the number of a write. */
  ackedSeq(): WriteSeq | 0 {
    const value = this.integer();
    return value === 0 ? 0 : writeSeq(value);
  }

  sessionId(): SessionId {
    return sessionId(this.integer(1));
  }

  /** 0, or the session that owns something. */
  owner(): SessionId | 0 {
    const value = this.integer();
    return value === 0 ? 0 : sessionId(value);
  }

  token(): FencingToken {
    return fencingToken(this.integer());
  }

  /** Null, or an integer: any safe one may be compared with a version. */
  version(): number | null {
    return this.nil() ? null : this.integer(Number.MIN_SAFE_INTEGER);
  }

  errorCode(): ErrorCode {
    return readErrorCode(this.text(CODE_UNITS_MAX));
  }

  /** The item of `values` that stands at the index on the wire. */
  choice<T>(values: readonly T[]): T {
    const choice = values[this.integer()];
    return choice === undefined ? malformed("unknown choice") : choice;
  }

  #token(): number {
    const token = this.#bytes[this.#at];
    this.#at += 1;
    return token ?? UNUSED_TOKEN;
  }

  #skip(length: number): void {
    this.#at += length;
    if (this.#at > this.#bytes.length) malformed("it ends too early");
  }

  #unsigned(size: number): number {
    const bytes = this.#bytes;
    const start = this.#at;
    this.#skip(size);
    let value = 0;
    for (let at = start; at < this.#at; at += 1) value = value * 256 + (bytes[at] ?? 0);
    return value;
  }

  #wideInteger(token: number): number {
    if (token >= 0xe0) return token - 256;
    switch (token) {
      case 0xcc:
        return this.#unsigned(1);
      case 0xcd:
        return this.#unsigned(2);
      case 0xce:
        return this.#unsigned(4);
      case 0xd0:
        return (this.#unsigned(1) << 24) >> 24;
      case 0xd1:
        return (this.#unsigned(2) << 16) >> 16;
      case 0xd2:
        return this.#unsigned(4) | 0;
      case 0xcb:
        return this.#floatInteger();
      default:
        return malformed("expected an integer");
    }
  }

  /** An integer beyond 32 bits. */
  #floatInteger(): number {
    const bytes = this.#bytes;
    const start = this.#at;
    this.#skip(8);
    for (let i = 0; i < 8; i += 1) float.setUint8(i, bytes[start + i] ?? 0);
    const value = float.getFloat64(0);
    if (!Number.isSafeInteger(value)) malformed("expected an integer");
    // Turns the negative zero, which only a hash would tell apart.
    return value + 0;
  }

  /** Passes over a text; returns where its bytes begin. */
  #textStart(): number {
    const token = this.#token();
    let length = token & 0x1f;
    if (token === 0xd9) length = this.#unsigned(1);
    else if (token === 0xda) length = this.#unsigned(2);
    else if (token === 0xdb) length = this.#unsigned(4);
    else if (token < 0xa0 || token >= NIL) malformed("expected a string");
    const start = this.#at;
    this.#skip(length);
    return start;
  }

  #binaryLength(): number {
    const token = this.#token();
    switch (token) {
      case 0xc4:
        return this.#unsigned(1);
      case 0xc5:
        return this.#unsigned(2);
      case 0xc6:
        return this.#unsigned(4);
      default:
        return malformed("expected bytes");
    }
  }
}

/** What is read out of a subclass, as some platforms hand out, would be of that subclass, and slower to make. */
function plain(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
