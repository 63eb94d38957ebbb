import {
  logIndex,
  nodeId,
  term,
  type HardState,
  type LogIndex,
  type NodeId,
  type Term,
} from "@quorate/raft";
import { crc32 } from "node:zlib";
import { readUint64, writeUint64 } from "./uint64.ts";

/*
 * The write-ahead log on disk. docs/storage-format.md tells the reasons; all numbers are little endian.
 *
 * A log is a directory of segments `log-<sequence of its first record, 14 hex digits>.wal`. A segment has its final size
 * from the start, filled with zeros, and holds:
 *
 *   sector 0         header, written and durable before the segment gets its name
 *   from sector 1    records, each on whole sectors, one behind the other
 *   last sector      seal: zeros until there is a next segment, then where that begins
 *
 * Header (the rest of its sector is zero)
 *    0  8 bytes "QUORWAL\n"          56  u64 sequence of the first record
 *    8  u32 crc32 of 12…512          64  u64 chain hash before the first record
 *   12  u32 format version (1)       72  u64 sequence of the last record of the segment before
 *   16  16 bytes tag of the log      80  u64 where the records of the segment before end
 *   32  u64 node id                  88  u64 last index before the first record
 *   40  u32 salt                     96  u64 its term
 *   44  u8 chain hash (1: SHA-256,  104  u64 hard state then: term
 *       first 8 bytes), 3 zero      112  u64 hard state then: vote, 0 for none
 *   48  u64 bytes of the segment
 *
 * Record
 *    0  u32 magic                    40  u64 term
 *    4  u32 crc32 of 8…72            48  u64 vote, 0 for none
 *    8  u32 length, without padding  56  u32 bytes of the snapshot marker
 *   12  u32 crc32 of 72…length       60  u32 bytes of the entries
 *   16  u64 chain hash of 24…length  64  u32 stamped sectors
 *   24  u64 chain hash before it     68  u8 bit 0 entries, bit 1 snapshot marker; 3 zero
 *   32  u64 sequence
 *   72  snapshot marker: u64 index, u64 term, membership
 *       entries: a block (entry-codec.ts)
 *       zeros up to a multiple of 4
 *       stamped sectors: u32 number of each, counted from the record's first
 *       u32 end mark
 *       zeros up to the end of the sector
 *
 * The crc32 of records and seals start from the segment's salt, so that no bytes that a client sends can pass for a record.
 * No sector of a record is all zeros: one that would be has its first byte set ("stamped"), to be set back by readers. So
 * a sector of zeros inside a record was never written.
 *
 * Seal:  0 u32 magic, 4 u32 crc32 of 8…24, 8 u64 sequence of the next segment's first record, 16 u64 chain hash before it
 */

export const SECTOR_BYTES = 512;
/** Of one segment, which is whole sectors. */
export const SEGMENT_BYTES_MIN: number = 8 * SECTOR_BYTES;
export const LOG_FORMAT_VERSION = 1;
export const TAG_BYTES = 16;
const SEGMENT_MAGIC = [0x51, 0x55, 0x4f, 0x52, 0x57, 0x41, 0x4c, 0x0a];
const SEAL_MAGIC = 0x4c_41_45_53;
const CHAIN_HASH_SHA256_64 = 1;
const SEGMENT_NAME = /^log-([0-9a-f]{14})\.wal$/u;

/** Hash over all records up to one. */
export type ChainHash = bigint;

/** What a segment stands on. */
export interface SegmentHeader {
  readonly tag: Uint8Array;
  readonly nodeId: NodeId;
  readonly salt: number;
  readonly segmentBytes: number;
  readonly firstSequence: number;
  readonly previousChain: ChainHash;
  /** Less than `firstSequence - 1` where damage was cut away in between. */
  readonly previousSequence: number;
  readonly previousEnd: number;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  readonly hardState: HardState;
}

/** `unknown`: intact, of a format that this program does not know. */
export type DecodedHeader =
  | { readonly kind: "header"; readonly header: SegmentHeader }
  | { readonly kind: "unknown"; readonly version: number }
  | { readonly kind: "damaged" };

export type DecodedSeal =
  | { readonly kind: "open" }
  | { readonly kind: "sealed"; readonly nextSequence: number }
  | { readonly kind: "damaged" };

/** File name of the segment whose first record has this sequence. */
export function segmentName(firstSequence: number): string {
  return `log-${firstSequence.toString(16).padStart(14, "0")}.wal`;
}

/** Null: not the name of a segment. */
export function sequenceOfName(name: string): number | null {
  const match = SEGMENT_NAME.exec(name);
  return match?.[1] === undefined ? null : Number.parseInt(match[1], 16);
}

/** Up to the end of the sector. */
export function wholeSectors(bytes: number): number {
  return Math.ceil(bytes / SECTOR_BYTES) * SECTOR_BYTES;
}

/** True when no byte of the range is set. */
export function isZero(bytes: Uint8Array, from = 0, to: number = bytes.length): boolean {
  for (let at = from; at < to; at += 1) if (bytes[at] !== 0) return false;
  return true;
}

/** The vote as a number, 0 for none. */
export function voteNumber(hardState: HardState): number {
  return hardState.votedFor ?? 0;
}

/** Throws when the numbers are none that a core could have had. */
export function hardStateOf(termNumber: number, vote: number): HardState {
  return { term: term(termNumber), votedFor: vote === 0 ? null : nodeId(vote) };
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(SECTOR_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(SEGMENT_MAGIC, 0);
  view.setUint32(12, LOG_FORMAT_VERSION, true);
  bytes.set(header.tag, 16);
  writeUint64(view, 32, header.nodeId);
  view.setUint32(40, header.salt, true);
  view.setUint8(44, CHAIN_HASH_SHA256_64);
  writeUint64(view, 48, header.segmentBytes);
  writeUint64(view, 56, header.firstSequence);
  view.setBigUint64(64, header.previousChain, true);
  writeUint64(view, 72, header.previousSequence);
  writeUint64(view, 80, header.previousEnd);
  writeUint64(view, 88, header.lastIndex);
  writeUint64(view, 96, header.lastTerm);
  writeUint64(view, 104, header.hardState.term);
  writeUint64(view, 112, voteNumber(header.hardState));
  view.setUint32(8, crc32(bytes.subarray(12)), true);
  return bytes;
}

export function decodeSegmentHeader(bytes: Uint8Array): DecodedHeader {
  if (bytes.length < SECTOR_BYTES) return { kind: "damaged" };
  const view = new DataView(bytes.buffer, bytes.byteOffset, SECTOR_BYTES);
  if (SEGMENT_MAGIC.some((byte, at) => bytes[at] !== byte)) return { kind: "damaged" };
  if (crc32(bytes.subarray(12, SECTOR_BYTES)) !== view.getUint32(8, true)) {
    return { kind: "damaged" };
  }
  const version = view.getUint32(12, true);
  if (version !== LOG_FORMAT_VERSION || view.getUint8(44) !== CHAIN_HASH_SHA256_64) {
    return { kind: "unknown", version };
  }
  return {
    kind: "header",
    header: {
      tag: bytes.slice(16, 16 + TAG_BYTES),
      nodeId: nodeId(readUint64(view, 32)),
      salt: view.getUint32(40, true),
      segmentBytes: readUint64(view, 48),
      firstSequence: readUint64(view, 56),
      previousChain: view.getBigUint64(64, true),
      previousSequence: readUint64(view, 72),
      previousEnd: readUint64(view, 80),
      lastIndex: logIndex(readUint64(view, 88)),
      lastTerm: term(readUint64(view, 96)),
      hardState: hardStateOf(readUint64(view, 104), readUint64(view, 112)),
    },
  };
}

export function encodeSeal(salt: number, nextSequence: number, chain: ChainHash): Uint8Array {
  const bytes = new Uint8Array(SECTOR_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, SEAL_MAGIC, true);
  writeUint64(view, 8, nextSequence);
  view.setBigUint64(16, chain, true);
  view.setUint32(4, crc32(bytes.subarray(8, 24), salt), true);
  return bytes;
}

export function decodeSeal(bytes: Uint8Array, salt: number): DecodedSeal {
  if (isZero(bytes)) return { kind: "open" };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const intact =
    bytes.length === SECTOR_BYTES &&
    view.getUint32(0, true) === SEAL_MAGIC &&
    view.getUint32(4, true) === crc32(bytes.subarray(8, 24), salt);
  return intact ? { kind: "sealed", nextSequence: readUint64(view, 8) } : { kind: "damaged" };
}
