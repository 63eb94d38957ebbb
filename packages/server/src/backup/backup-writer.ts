import { createHash } from "node:crypto";
import { assert } from "../assert.ts";
import type { ImageView } from "../ports.ts";
import { checksum } from "../storage/checksum.ts";
import {
  BACKUP_END_BYTES,
  BACKUP_HEADER_BYTES,
  BACKUP_MAGIC,
  BACKUP_VERSION,
  PIECE_BYTES_MAX,
  PIECE_HEADER_BYTES,
  PIECE_RECORDS_MAX,
  type BackupRecord,
} from "./backup-format.ts";

const PIECE_RECORDS = 1_000;

/**
 * A backup of what the view shows, in pieces of about so many bytes, as fast as they are taken. The view stays the caller's.
 * Fails with what it fails with.
 */
export async function* writeBackup(
  view: ImageView,
  pieceBytes: number,
): AsyncGenerator<Uint8Array, void> {
  const hash = createHash("sha256");
  let count = 0;
  const hashed = (bytes: Uint8Array): Uint8Array => {
    hash.update(bytes);
    return bytes;
  };
  yield hashed(header());
  for (;;) {
    const records = await view.next(PIECE_RECORDS, pieceBytes);
    if (records.length === 0) break;
    count += records.length;
    yield hashed(piece(records));
  }
  const end = Buffer.alloc(BACKUP_END_BYTES);
  end.writeBigUInt64BE(BigInt(count), 4);
  hash.update(end.subarray(0, 12));
  end.set(hash.digest(), 12);
  yield end;
}

function header(): Uint8Array {
  const bytes = Buffer.alloc(BACKUP_HEADER_BYTES);
  bytes.set(BACKUP_MAGIC);
  bytes.writeUInt32BE(BACKUP_VERSION, BACKUP_MAGIC.length);
  return bytes;
}

function piece(records: readonly BackupRecord[]): Uint8Array {
  let length = 0;
  for (const [key, value] of records) length += 8 + Buffer.byteLength(key) + value.length;
  assert(length <= PIECE_BYTES_MAX && records.length <= PIECE_RECORDS_MAX, "backup_piece_bounded");
  const bytes = Buffer.allocUnsafe(PIECE_HEADER_BYTES + length);
  let at = PIECE_HEADER_BYTES;
  for (const [key, value] of records) {
    const keyBytes = bytes.write(key, at + 4);
    at = bytes.writeUInt32BE(keyBytes, at) + keyBytes;
    at = bytes.writeUInt32BE(value.length, at);
    bytes.set(value, at);
    at += value.length;
  }
  assert(at === bytes.length, "backup_piece_filled");
  bytes.writeUInt32BE(length, 0);
  bytes.writeUInt32BE(checksum(bytes.subarray(PIECE_HEADER_BYTES), 0), 4);
  return bytes;
}
