import { ServerError } from "../errors.ts";

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const WORD = 4_294_967_296;
/**
 * Numbers on the wire are below this. What counts up on them then stays a safe integer; a larger one can only come from a
 * fault, because none is ever reached by counting.
 */
export const WIRE_NUMBER_MAX: number = Number.MAX_SAFE_INTEGER - WORD;

/** Reads what a `ByteWriter` wrote. Every length is checked before anything is made for it; throws PEER_PROTOCOL only. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  bool(): boolean {
    const value = this.u8();
    if (value > 1) throw violation("a truth value is neither 0 nor 1");
    return value === 1;
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  /** A whole number from 0 to {@link WIRE_NUMBER_MAX}. */
  u53(): number {
    const at = this.#take(8);
    const value = this.#view.getUint32(at) * WORD + this.#view.getUint32(at + 4);
    if (value > WIRE_NUMBER_MAX) throw violation("a number is out of bounds");
    return value;
  }

  /** A count of things that take at least `bytesEach` (from 1) and of which there are at most `max`. */
  count(max: number, bytesEach: number): number {
    const count = this.u32();
    if (count > max || count * bytesEach > this.remaining) throw violation("a list is too long");
    return count;
  }

  /** A view into the frame. */
  bytes(): Uint8Array {
    const length = this.u32();
    const at = this.#take(length);
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + at, length);
  }

  /** Valid UTF-8 of at most `bytesMax`. */
  text(bytesMax: number): string {
    if (this.#bytes.length - this.#at >= 4 && this.#view.getUint32(this.#at) > bytesMax) {
      throw violation("a text is too long");
    }
    try {
      return UTF8.decode(this.bytes());
    } catch (error) {
      throw error instanceof ServerError ? error : violation("a text is not UTF-8");
    }
  }

  /** Nothing may follow. */
  end(): void {
    if (this.remaining > 0) throw violation("there are bytes after the end");
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) throw violation("the frame ends too early");
    this.#at = at + count;
    return at;
  }
}

/** The other side broke the protocol between nodes. */
export function violation(message: string, cause?: unknown): ServerError {
  return new ServerError("PEER_PROTOCOL", message, cause);
}
