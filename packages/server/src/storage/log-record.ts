import { logIndex, term, type HardState, type SnapshotMeta } from "@quorate/raft";
import { hash } from "node:crypto";
import { crc32 } from "node:zlib";
import {
  SECTOR_BYTES,
  hardStateOf,
  voteNumber,
  wholeSectors,
  type ChainHash,
} from "./log-format.ts";
import { decodeMembership, encodeMembership } from "./membership-codec.ts";
import { Scratch } from "./scratch.ts";
import { readUint64, writeUint64 } from "./uint64.ts";

/** Bytes of one record at most; a write beyond it is a mistake of the caller, who bounds what it collects. */
export const RECORD_BYTES_MAX = 67_108_864;
/** Where the body of a record begins. */
export const RECORD_HEADER_BYTES = 72;
const RECORD_MAGIC = 0x43_52_4c_51;
const END_MARK = 0x44_4e_45_51;
const HAS_ENTRIES = 1;
const HAS_SNAPSHOT = 2;
const SECTOR_WORDS = SECTOR_BYTES / 4;

/** What goes into a record. */
export interface RecordContent {
  readonly salt: number;
  readonly sequence: number;
  readonly previousChain: ChainHash;
  readonly hardState: HardState;
  /** From {@link encodeSnapshotMarker}; no bytes for none. */
  readonly marker: Uint8Array;
  /** From `encodeEntries`; no bytes for none. */
  readonly block: Uint8Array;
}

/** What the first sector of a record tells; its own checksum holds. */
export interface RecordHeader {
  readonly length: number;
  readonly bodyCrc: number;
  readonly chain: ChainHash;
  readonly previousChain: ChainHash;
  readonly sequence: number;
  readonly hardState: HardState;
  readonly snapshotBytes: number;
  readonly entriesBytes: number;
  readonly stamps: number;
}

/** What a record holds beside its header. */
export interface RecordBody {
  readonly snapshot: SnapshotMeta | null;
  readonly block: Uint8Array;
}

/** Bytes on disk that a record with this content takes at most. */
export function recordBytesMax(marker: Uint8Array, block: Uint8Array): number {
  const body = RECORD_HEADER_BYTES + marker.length + block.length;
  return wholeSectors(body + Math.ceil(body / SECTOR_BYTES) * 4 + 8);
}

/** A snapshot marker's bytes. */
export function encodeSnapshotMarker(snapshot: SnapshotMeta): Uint8Array {
  const membership = encodeMembership(snapshot.membership);
  const bytes = new Uint8Array(16 + membership.length);
  const view = new DataView(bytes.buffer);
  writeUint64(view, 0, snapshot.index);
  writeUint64(view, 8, snapshot.term);
  bytes.set(membership, 16);
  return bytes;
}

/** Lays records out in one buffer of its own, which the next record reuses. */
export class RecordWriter {
  readonly #scratch = new Scratch();

  /** The bytes hold until the next call. */
  write(content: RecordContent): { readonly bytes: Uint8Array; readonly chain: ChainHash } {
    const { marker, block } = content;
    const bytesMax = recordBytesMax(marker, block);
    const bytes = this.#scratch.take(bytesMax);
    const view = new DataView(bytes.buffer, 0, bytesMax);
    bytes.set(marker, RECORD_HEADER_BYTES);
    bytes.set(block, RECORD_HEADER_BYTES + marker.length);
    const bodyEnd = RECORD_HEADER_BYTES + marker.length + block.length;
    const listStart = Math.ceil(bodyEnd / 4) * 4;
    bytes.fill(0, bodyEnd, listStart);
    const stamps = stampZeros(view, listStart);
    const length = listStart + stamps * 4 + 4;
    const extent = wholeSectors(length);
    bytes.fill(0, length, extent);
    view.setUint32(length - 4, END_MARK, true);
    view.setUint32(56, marker.length, true);
    view.setUint32(60, block.length, true);
    view.setUint32(64, stamps, true);
    const flags = (block.length > 0 ? HAS_ENTRIES : 0) + (marker.length > 0 ? HAS_SNAPSHOT : 0);
    view.setUint32(68, flags, true);
    const chain = sealRecord(view, bytes.subarray(0, length), content);
    return { bytes: bytes.subarray(0, extent), chain };
  }
}

/** Marks the sectors between the first and `listStart` that are all zeros and lists them there; returns how many. */
function stampZeros(view: DataView<ArrayBuffer>, listStart: number): number {
  const words = new Uint32Array(view.buffer, 0, view.byteLength / 4);
  let stamps = 0;
  const sectors = Math.floor(listStart / SECTOR_BYTES);
  for (let sector = 1; sector < sectors; sector += 1) {
    const end = (sector + 1) * SECTOR_WORDS;
    let at = sector * SECTOR_WORDS;
    while (at < end && words[at] === 0) at += 1;
    if (at < end) continue;
    view.setUint8(sector * SECTOR_BYTES, 1);
    view.setUint32(listStart + stamps * 4, sector, true);
    stamps += 1;
  }
  return stamps;
}

function sealRecord(view: DataView, record: Uint8Array, content: RecordContent): ChainHash {
  view.setUint32(0, RECORD_MAGIC, true);
  view.setUint32(8, record.length, true);
  view.setUint32(12, crc32(record.subarray(RECORD_HEADER_BYTES), content.salt), true);
  view.setBigUint64(24, content.previousChain, true);
  writeUint64(view, 32, content.sequence);
  writeUint64(view, 40, content.hardState.term);
  writeUint64(view, 48, voteNumber(content.hardState));
  const chain = chainHash(record);
  view.setBigUint64(16, chain, true);
  view.setUint32(4, crc32(record.subarray(8, RECORD_HEADER_BYTES), content.salt), true);
  return chain;
}

/** It covers the hash before it, so it covers all records up to this one. */
function chainHash(record: Uint8Array): ChainHash {
  return hash("sha256", record.subarray(24), "buffer").readBigUInt64LE(0);
}

/** Null: the bytes (one sector) do not begin a record of this segment. */
export function decodeRecordHeader(sector: Uint8Array, salt: number): RecordHeader | null {
  if (sector.length < RECORD_HEADER_BYTES) return null;
  const view = new DataView(sector.buffer, sector.byteOffset, RECORD_HEADER_BYTES);
  if (view.getUint32(0, true) !== RECORD_MAGIC) return null;
  if (view.getUint32(4, true) !== crc32(sector.subarray(8, RECORD_HEADER_BYTES), salt)) return null;
  const length = view.getUint32(8, true);
  const snapshotBytes = view.getUint32(56, true);
  const entriesBytes = view.getUint32(60, true);
  const stamps = view.getUint32(64, true);
  const body = Math.ceil((RECORD_HEADER_BYTES + snapshotBytes + entriesBytes) / 4) * 4;
  if (length !== body + stamps * 4 + 4) return null;
  return {
    length,
    bodyCrc: view.getUint32(12, true),
    chain: view.getBigUint64(16, true),
    previousChain: view.getBigUint64(24, true),
    sequence: readUint64(view, 32),
    hardState: hardStateOf(readUint64(view, 40), readUint64(view, 48)),
    snapshotBytes,
    entriesBytes,
    stamps,
  };
}

/** `record`: all its bytes, without padding. */
export function isIntact(record: Uint8Array, header: RecordHeader, salt: number): boolean {
  return (
    crc32(record.subarray(RECORD_HEADER_BYTES), salt) === header.bodyCrc &&
    chainHash(record) === header.chain
  );
}

/** Content of an intact record; the block is a view of `record` where nothing was stamped. */
export function recordBody(record: Uint8Array, header: RecordHeader): RecordBody {
  const bytes = header.stamps === 0 ? record : withoutStamps(record, header.stamps);
  const entriesStart = RECORD_HEADER_BYTES + header.snapshotBytes;
  const marker = bytes.subarray(RECORD_HEADER_BYTES, entriesStart);
  return {
    snapshot: marker.length === 0 ? null : decodeSnapshotMarker(marker),
    block: bytes.subarray(entriesStart, entriesStart + header.entriesBytes),
  };
}

function withoutStamps(record: Uint8Array, stamps: number): Uint8Array {
  const bytes = record.slice();
  const view = new DataView(bytes.buffer);
  const listStart = bytes.length - 4 - stamps * 4;
  for (let stamp = 0; stamp < stamps; stamp += 1) {
    bytes[view.getUint32(listStart + stamp * 4, true) * SECTOR_BYTES] = 0;
  }
  return bytes;
}

function decodeSnapshotMarker(marker: Uint8Array): SnapshotMeta {
  const view = new DataView(marker.buffer, marker.byteOffset, marker.byteLength);
  return {
    index: logIndex(readUint64(view, 0)),
    term: term(readUint64(view, 8)),
    membership: decodeMembership(marker.subarray(16)),
  };
}
