import type { OpenFile } from "../ports.ts";
import { hasLevelChecksum } from "./level-checksum.ts";

/** At the end of a table: where its meta index and its index are (offset and length each), zeros, and the magic number. */
const FOOTER_BYTES = 48;
const MAGIC = 0xdb4775248b80fb57n;
const MAGIC_AT = 40;
/** Behind a block: its compression, then a checksum over both. */
const TYPE_BYTES = 1;
const TRAILER_BYTES = 5;

/**
 * Whether a table of so many bytes still says where to find what. LevelDB believes that without a look at its checksums, and
 * takes as much memory as it says: where it says too much, the process is ended.
 */
export async function isIndexWhole(file: OpenFile, tableBytes: number): Promise<boolean> {
  if (tableBytes < FOOTER_BYTES) return false;
  const footer = await file.read(tableBytes - FOOTER_BYTES, FOOTER_BYTES);
  if (footer.length < FOOTER_BYTES || viewOf(footer).getBigUint64(MAGIC_AT, true) !== MAGIC) {
    return false;
  }
  const [metaOffset, metaLength, offset, length] = varints(footer.subarray(0, MAGIC_AT));
  const blocks = [
    [metaOffset, metaLength],
    [offset, length],
  ] as const;
  for (const [from, bytes] of blocks) {
    if (from === undefined || bytes === undefined) return false;
    const end = from + bytes + TRAILER_BYTES;
    if (end > tableBytes || !isBlockWhole(await file.read(from, end - from), bytes)) return false;
  }
  return true;
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

/** The first four numbers; fewer where there are no more. */
function varints(bytes: Uint8Array): readonly number[] {
  const numbers: number[] = [];
  let number = 0;
  let scale = 1;
  for (const byte of bytes) {
    number += (byte & 0x7f) * scale;
    scale *= 128;
    if (byte >= 128) continue;
    numbers.push(number);
    number = 0;
    scale = 1;
    if (numbers.length === 4) break;
  }
  return numbers;
}
