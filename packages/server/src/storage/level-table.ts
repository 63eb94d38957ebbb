import type { OpenFile } from "../ports.ts";
import { crc32c } from "./crc32c.ts";
import { hasLevelChecksum, isLevelChecksum } from "./level-checksum.ts";
import { LevelReader } from "./level-reader.ts";

/** At the end of a table: where its meta index and its index are (offset and length each), zeros, and the magic number. */
const FOOTER_BYTES = 48;
const MAGIC = 0xdb4775248b80fb57n;
const MAGIC_AT = 40;
/** Behind a block: its compression, then a checksum over both. */
const TYPE_BYTES = 1;
const TRAILER_BYTES = 5;
/** At the end of a block: places where keys are written in full, and how many of them there are. */
const RESTART_BYTES = 4;

/** Where a block is in its table, without its trailer. */
export interface LevelBlock {
  readonly offset: number;
  readonly bytes: number;
}

/**
 * Whether a table of so many bytes still says where to find what. LevelDB believes that without a look at its checksums, and
 * takes as much memory as it says: where it says too much, the process is ended.
 */
export async function isIndexWhole(file: OpenFile, tableBytes: number): Promise<boolean> {
  return (await readIndex(file, tableBytes)) !== null;
}

/**
 * The blocks that hold what a table holds, in their order. LevelDB believes what they say of themselves, too, and ends the process
 * where it is nonsense. Null: the index is not whole.
 */
export async function dataBlocksOf(
  file: OpenFile,
  tableBytes: number,
): Promise<readonly LevelBlock[] | null> {
  const index = await readIndex(file, tableBytes);
  if (index === null || index.length < RESTART_BYTES) return null;
  const restarts = viewOf(index).getUint32(index.length - RESTART_BYTES, true);
  const end = index.length - RESTART_BYTES * (1 + restarts);
  if (end < 0) return null;
  const entries = new LevelReader(index.subarray(0, end));
  const blocks: LevelBlock[] = [];
  while (!entries.isAtEnd) {
    const block = readEntry(entries);
    if (block === null || block.offset + block.bytes + TRAILER_BYTES > tableBytes) return null;
    blocks.push(block);
  }
  return blocks;
}

/** What keys it shares with the one before, how long the rest and its value are, the rest, and the place of a block. */
function readEntry(entries: LevelReader): LevelBlock | null {
  const [shared, rest, value] = [entries.number(), entries.number(), entries.number()];
  if (shared === null || rest === null || value === null || !entries.skip(rest)) return null;
  const [offset, bytes] = [entries.number(), entries.number()];
  return offset === null || bytes === null ? null : { offset, bytes };
}

/** The content of the index; null: that, or what says where it is, is not whole. */
async function readIndex(file: OpenFile, tableBytes: number): Promise<Uint8Array | null> {
  if (tableBytes < FOOTER_BYTES) return null;
  const footer = await file.read(tableBytes - FOOTER_BYTES, FOOTER_BYTES);
  if (footer.length < FOOTER_BYTES || viewOf(footer).getBigUint64(MAGIC_AT, true) !== MAGIC) {
    return null;
  }
  const handles = new LevelReader(footer.subarray(0, MAGIC_AT));
  let content: Uint8Array | null = null;
  for (let block = 0; block < 2; block += 1) {
    const [from, bytes] = [handles.number(), handles.number()];
    if (from === null || bytes === null) return null;
    const end = from + bytes + TRAILER_BYTES;
    const read = end > tableBytes ? null : await file.read(from, end - from);
    if (read === null || !isBlockWhole(read, bytes)) return null;
    content = read.subarray(0, bytes);
  }
  return content;
}

/** A block of so many bytes, with its trailer. */
function isBlockWhole(block: Uint8Array, bytes: number): boolean {
  if (block.length !== bytes + TRAILER_BYTES) return false;
  const stored = viewOf(block).getUint32(bytes + TYPE_BYTES, true);
  return hasLevelChecksum(block.subarray(0, bytes + TYPE_BYTES), stored);
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Holds a table's blocks to their checksums while it is read from its beginning, in slices of any size. */
export class LevelTableReader {
  readonly #blocks: readonly LevelBlock[];
  /** Of the file, up to where it was read. */
  #readBytes = 0;
  #block = 0;
  #crc = 0;
  #stored = 0;
  #isBroken = false;

  constructor(blocks: readonly LevelBlock[]) {
    this.#blocks = blocks;
  }

  /** All blocks were read and are what was written. */
  get isWhole(): boolean {
    return !this.#isBroken && this.#block === this.#blocks.length;
  }

  /** What comes next in the file. */
  add(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length && !this.#isBroken) {
      const block = this.#blocks[this.#block];
      if (block === undefined) break;
      at += this.#addTo(block, bytes.subarray(at), this.#readBytes + at);
    }
    this.#readBytes += bytes.length;
  }

  /** How many of the bytes, which stand at `from`, were taken. */
  #addTo({ offset, bytes: length }: LevelBlock, bytes: Uint8Array, from: number): number {
    const storedAt = offset + length + TYPE_BYTES;
    if (from < offset) return Math.min(bytes.length, offset - from);
    if (from < storedAt) {
      const part = bytes.subarray(0, storedAt - from);
      this.#crc = crc32c(part, this.#crc);
      return part.length;
    }
    const lane = from - storedAt;
    this.#stored = (this.#stored | ((bytes[0] ?? 0) << (8 * lane))) >>> 0;
    if (lane === TRAILER_BYTES - TYPE_BYTES - 1) {
      this.#isBroken = !isLevelChecksum(this.#crc, this.#stored);
      this.#block += 1;
      this.#crc = 0;
      this.#stored = 0;
    }
    return 1;
  }
}
