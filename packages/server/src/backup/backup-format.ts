/*
 * A backup file, numbers big-endian:
 *
 *   magic "QRTBACKP", version u32
 *   pieces: length u32 (not 0), crc32 u32, then so many bytes of records: key length u32, key (UTF-8), value length u32, value
 *   end: length u32 = 0, records u64, SHA-256 over everything before it
 *
 * The records are the image's, in its order, so a backup is verified as an image is: each record's own checksum, the
 * counts, and the digest of the state.
 */

/** First bytes of a backup. */
export const BACKUP_MAGIC: Uint8Array = new TextEncoder().encode("QRTBACKP");
/** History: 1 = first. */
export const BACKUP_VERSION = 1;
/** Bytes before the first piece. */
export const BACKUP_HEADER_BYTES = 12;
/** Bytes before a piece's records. */
export const PIECE_HEADER_BYTES = 8;
/** Of a piece's records: one of the largest record, and then some. */
export const PIECE_BYTES_MAX = 67_108_864;
/** Records of a piece. */
export const PIECE_RECORDS_MAX = 65_536;
/** Bytes of the end: a length of 0, the count, the hash. */
export const BACKUP_END_BYTES = 44;

/** One record of an image: key and value. */
export type BackupRecord = readonly [key: string, value: Uint8Array];
