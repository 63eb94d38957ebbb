import { freshBytes } from "./fresh-bytes.ts";

/** Records on their way between threads: one buffer, which both can reach or which changes hands, instead of being copied. */
export interface PackedRecords {
  readonly keys: readonly string[];
  readonly bytes: Uint8Array;
  /** Where the bytes of each end; -1 for a record that is deleted, or that is not there. */
  readonly ends: readonly number[];
}

/** Room beyond the expected bytes, for the record that goes past them. */
const SPARE_BYTES = 65_536;

/** Memory to pack into: a whole buffer of at least so many bytes that nobody else uses. */
export type Room = (bytes: number) => Uint8Array;

/** Gathers records into one buffer. */
export class RecordPacker {
  readonly #expectedBytes: number;
  readonly #room: Room;
  #keys: string[] = [];
  #ends: number[] = [];
  #bytes: Uint8Array = new Uint8Array(0);
  #used = 0;

  /** `expectedBytes`: of all values together; more only costs a copy. */
  constructor(expectedBytes: number, room: Room = freshBytes) {
    this.#expectedBytes = expectedBytes;
    this.#room = room;
  }

  get count(): number {
    return this.#keys.length;
  }

  get usedBytes(): number {
    return this.#used;
  }

  add(key: string, value: Uint8Array | null): void {
    this.#keys.push(key);
    if (value === null) {
      this.#ends.push(-1);
      return;
    }
    this.#reserve(value.length);
    this.#bytes.set(value, this.#used);
    this.#used += value.length;
    this.#ends.push(this.#used);
  }

  /** What was gathered; the packer begins anew. */
  take(): PackedRecords {
    const bytes =
      this.#used === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, this.#used);
    const records = { keys: this.#keys, bytes, ends: this.#ends };
    this.#keys = [];
    this.#ends = [];
    this.#bytes = new Uint8Array(0);
    this.#used = 0;
    return records;
  }

  #reserve(length: number): void {
    const needed = this.#used + length;
    if (needed <= this.#bytes.length) return;
    const least = Math.max(needed, 2 * this.#bytes.length, this.#expectedBytes + SPARE_BYTES);
    const larger = this.#room(least);
    larger.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = larger;
  }
}

/** The records one by one; values are views of the one buffer. */
export function* unpacked({
  keys,
  bytes,
  ends,
}: PackedRecords): IterableIterator<readonly [key: string, value: Uint8Array | null]> {
  let start = 0;
  for (const [at, key] of keys.entries()) {
    const end = ends[at] ?? -1;
    if (end < 0) {
      yield [key, null];
      continue;
    }
    yield [key, bytes.subarray(start, end)];
    start = end;
  }
}
