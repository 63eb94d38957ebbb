import { assert } from "../assert.ts";
import { hasLevelChecksum } from "./level-checksum.ts";

/** LevelDB's logs are read in blocks; no part of a record goes beyond one. */
export const LEVEL_BLOCK_BYTES = 32_768;
/** Before each part: its checksum, its length, and what it is of its record. The checksum is of that and of the part. */
const HEADER_BYTES = 7;
const LENGTH_AT = 4;
const KIND_AT = 6;
const KIND = { whole: 1, first: 2, middle: 3, last: 4 } as const;

/**
 * Reads one of LevelDB's logs: of batches, or of what it stands on (a manifest). When LevelDB opens an image it passes over what
 * is damaged in a log of batches, and while the image is in use it reads neither.
 */
export class LevelLogReader {
  #readBytes = 0;
  #wholeBytes = 0;
  /** A record has begun and not ended. */
  #isWithin = false;
  /** Something is there that LevelDB did not write so, or not to its end. */
  #isBroken = false;
  #goesOn = false;
  readonly #onRecord: ((record: Uint8Array) => void) | null;
  /** Of the record that has begun. Only for who hears of records. */
  #parts: Uint8Array[] = [];

  /** `onRecord`: gets every whole record, up to the first that is not. */
  constructor(onRecord: ((record: Uint8Array) => void) | null = null) {
    this.#onRecord = onRecord;
  }

  /** Up to here there is one record behind the other, the last one to its end. */
  get wholeBytes(): number {
    return this.#wholeBytes;
  }

  /**
   * A record begins behind one that is not whole. Whoever syncs every record before the next knows by that that it was whole
   * once. Without this it may be one that was being written when the machine went down; or the length of its part changed,
   * so that what follows in its block cannot be told.
   */
  get hasDamage(): boolean {
    return this.#goesOn;
  }

  /** What comes next in the file, in blocks; only at the end of the file in a part of one. */
  add(bytes: Uint8Array): void {
    assert(this.#readBytes % LEVEL_BLOCK_BYTES === 0, "level_log_read_in_blocks");
    for (let at = 0; at < bytes.length; at += LEVEL_BLOCK_BYTES) {
      this.#addBlock(bytes.subarray(at, at + LEVEL_BLOCK_BYTES), this.#readBytes + at);
    }
    this.#readBytes += bytes.length;
  }

  #addBlock(block: Uint8Array, start: number): void {
    const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
    let at = 0;
    // Fewer bytes than a header at the end of a block are left empty.
    while (at + HEADER_BYTES <= block.length) {
      const end = at + HEADER_BYTES + view.getUint16(at + LENGTH_AT, true);
      if (end > block.length) break;
      if (hasLevelChecksum(block.subarray(at + KIND_AT, end), view.getUint32(at, true))) {
        this.#addPart(block.subarray(at + KIND_AT, end), start + end);
      } else this.#isBroken = true;
      at = end;
    }
    const isPart = block.length < LEVEL_BLOCK_BYTES;
    if (isPart ? at < block.length : at + HEADER_BYTES <= block.length) this.#isBroken = true;
  }

  /** `part`: behind what it is of its record. */
  #addPart(part: Uint8Array, end: number): void {
    const [kind] = part;
    const begins = kind === KIND.whole || kind === KIND.first;
    if (begins === this.#isWithin) this.#isBroken = true;
    if (this.#isBroken) {
      this.#goesOn ||= begins;
      return;
    }
    this.#isWithin = kind === KIND.first || kind === KIND.middle;
    if (this.#onRecord !== null) this.#parts.push(part.slice(1));
    if (this.#isWithin) return;
    this.#wholeBytes = end;
    this.#onRecord?.(Buffer.concat(this.#parts));
    this.#parts = [];
  }
}
