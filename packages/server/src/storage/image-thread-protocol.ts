import { ServerError, type ServerErrorCode } from "../errors.ts";

/** Records on their way between threads: one buffer, which changes hands instead of being copied. */
export interface PackedRecords {
  readonly keys: readonly string[];
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where the bytes of each end; -1 for a record that is deleted, or that is not there. */
  readonly ends: readonly number[];
}

/** What the image's thread is asked; each but `put` is answered, under its number. */
export type ImageRequest =
  | {
      readonly kind: "open";
      readonly id: number;
      readonly directory: string;
      readonly create: boolean;
    }
  /** In their order, into the batch with this number, which the first of them begins. */
  | { readonly kind: "put"; readonly batch: number; readonly records: PackedRecords }
  | { readonly kind: "write"; readonly id: number; readonly batch: number }
  | { readonly kind: "discard"; readonly id: number; readonly batch: number }
  | { readonly kind: "getMany"; readonly id: number; readonly keys: readonly string[] }
  /** The view is of this moment in the order of the requests. */
  | { readonly kind: "view"; readonly view: number }
  | {
      readonly kind: "next";
      readonly id: number;
      readonly view: number;
      readonly countMax: number;
      readonly bytesMax: number;
    }
  | { readonly kind: "closeView"; readonly id: number; readonly view: number }
  | { readonly kind: "close"; readonly id: number };

/** An answer. `records`: of `getMany` and `next`, else null. */
export type ImageReply =
  | { readonly id: number; readonly ok: true; readonly records: PackedRecords | null }
  | {
      readonly id: number;
      readonly ok: false;
      readonly code: ServerErrorCode;
      readonly message: string;
    };

/** Room beyond the expected bytes, for the record that goes past them. */
const SPARE_BYTES = 65_536;

/** Gathers records into one buffer. */
export class RecordPacker {
  readonly #expectedBytes: number;
  #keys: string[] = [];
  #ends: number[] = [];
  #bytes = new Uint8Array(0);
  #used = 0;

  /** `expectedBytes`: of all values together; more only costs a copy. */
  constructor(expectedBytes: number) {
    this.#expectedBytes = expectedBytes;
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
    const least = this.#expectedBytes + SPARE_BYTES;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length, least));
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

/** An error as it can be sent: only its code and text mean anything on the other side. */
export function failedReply(id: number, error: unknown): ImageReply {
  const text = error instanceof Error ? error.message : String(error);
  if (!(error instanceof ServerError))
    return { id, ok: false, code: "STORAGE_FAILED", message: text };
  return { id, ok: false, code: error.code, message: text.slice(error.code.length + 2) };
}
