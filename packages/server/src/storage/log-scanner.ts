import type { OpenFile } from "../ports.ts";
import { FileWindow } from "./file-window.ts";
import {
  SECTOR_BYTES,
  isZero,
  wholeSectors,
  type ChainHash,
  type SegmentHeader,
} from "./log-format.ts";
import {
  decodeRecordHeader,
  isIntact,
  recordBody,
  type RecordBody,
  type RecordHeader,
} from "./log-record.ts";

/** What stands at a place of a segment. */
export type ScanStep =
  | {
      readonly kind: "record";
      readonly position: number;
      readonly header: RecordHeader;
      readonly body: RecordBody;
    }
  /** Nothing was written here or behind. */
  | { readonly kind: "end"; readonly position: number }
  /** A write that was under way when the machine stopped; up to `writtenEnd` there may be bytes of it. */
  | { readonly kind: "torn"; readonly position: number; readonly writtenEnd: number }
  /** The file ends here or in what stands here, and should not. */
  | { readonly kind: "cut"; readonly position: number }
  /** Neither: something that had been written is no longer what it was. */
  | { readonly kind: "corrupt"; readonly position: number; readonly message: string };

/** What stands where the records of a segment end. */
export type ScanEnd = Exclude<ScanStep, { readonly kind: "record" }>;

/**
 * Walks over the records of one segment and tells an unfinished write from damage. A write was unfinished only if a
 * sector of its record is still as it was when the segment was made, and nothing whole stands behind it.
 */
export class LogScanner {
  readonly #window: FileWindow;
  readonly #header: SegmentHeader;
  readonly #limit: number;
  #position = SECTOR_BYTES;
  #sequence: number;
  #chain: ChainHash;

  constructor(file: OpenFile, header: SegmentHeader) {
    this.#window = new FileWindow(file);
    this.#header = header;
    this.#limit = header.segmentBytes - SECTOR_BYTES;
    this.#sequence = header.firstSequence - 1;
    this.#chain = header.previousChain;
  }

  /** Where the next record would begin. */
  get position(): number {
    return this.#position;
  }

  /** Goes past records only: every other step is the last. */
  async next(): Promise<ScanStep> {
    const position = this.#position;
    if (position >= this.#limit) return { kind: "end", position };
    const first = await this.#window.at(position, SECTOR_BYTES);
    if (first.length < SECTOR_BYTES) return { kind: "cut", position };
    if (isZero(first)) return this.#nothingHere(position);
    const header = decodeRecordHeader(first, this.#header.salt);
    if (header === null) return corrupt(position, "no record begins here");
    if (position + wholeSectors(header.length) > this.#limit) {
      return corrupt(position, "a record longer than its segment");
    }
    if (header.sequence !== this.#sequence + 1 || header.previousChain !== this.#chain) {
      return corrupt(position, "a record that does not follow the one before it");
    }
    const record = await this.#window.at(position, header.length);
    if (record.length < header.length) return { kind: "cut", position };
    if (!isIntact(record, header, this.#header.salt)) return this.#broken(position, header);
    this.#position = position + wholeSectors(header.length);
    this.#sequence = header.sequence;
    this.#chain = header.chain;
    return { kind: "record", position, header, body: recordBody(record, header) };
  }

  /** The sector at `position` is zeros: the end, a write whose first sector is missing, or a record that vanished. */
  async #nothingHere(position: number): Promise<ScanStep> {
    let writtenEnd = 0;
    for (let at = position; at < this.#limit; at += SECTOR_BYTES) {
      const sector = await this.#window.at(at, SECTOR_BYTES);
      if (sector.length < SECTOR_BYTES) return { kind: "cut", position };
      if (isZero(sector)) continue;
      writtenEnd = at + SECTOR_BYTES;
      if (decodeRecordHeader(sector, this.#header.salt) !== null) {
        return corrupt(position, `a record vanished before the one at ${at}`);
      }
    }
    return writtenEnd === 0 ? { kind: "end", position } : { kind: "torn", position, writtenEnd };
  }

  async #broken(position: number, header: RecordHeader): Promise<ScanStep> {
    const end = position + wholeSectors(header.length);
    let hasHole = false;
    for (let at = position; at < this.#limit; at += SECTOR_BYTES) {
      const sector = await this.#window.at(at, SECTOR_BYTES);
      if (sector.length < SECTOR_BYTES) return { kind: "cut", position };
      const zero = isZero(sector);
      if (at < end) hasHole ||= zero;
      else if (!zero) return corrupt(position, "a damaged record with others behind it");
    }
    return hasHole
      ? { kind: "torn", position, writtenEnd: end }
      : corrupt(position, "a record whose bytes changed");
  }
}

function corrupt(position: number, message: string): ScanStep {
  return { kind: "corrupt", position, message };
}
