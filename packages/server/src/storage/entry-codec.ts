import { logIndex, term, type Entry, type LogIndex, type Term } from "@quorate/raft";
import { freshBytes } from "./fresh-bytes.ts";
import { decodeMembership, encodeMembership, MembershipCodecError } from "./membership-codec.ts";
import type { Scratch } from "./scratch.ts";
import { readUint64, writeUint64 } from "./uint64.ts";

/*
 * A block of entries: the same bytes stand in a log record and in the frames that carry the entries to peers, so entries
 * are encoded once. No entries are no bytes. All numbers little endian.
 *
 *   0  u8   format version (1)
 *   1  u8×3 zero
 *   4  u32  count, from 1
 *   8  u64  index of the first entry; each next one has the next index
 *  16  u64  term of the first entry
 *  24  u64  term of the last entry
 *  32  per entry: u8 kind (1 noop, 2 command, 3 config)
 *                 varint (7 bits a byte, low first) by how much the term exceeds the entry's before it
 *                 u32 length of the data, data (command bytes; membership; nothing)
 */

const VERSION = 1;
const HEADER_BYTES = 32;
const ENTRY_BYTES_MIN = 6;
const KIND_NOOP = 1;
const KIND_COMMAND = 2;
const KIND_CONFIG = 3;
const EMPTY = new Uint8Array(0);

/** Bytes that are not a block of entries. */
export class EntryCodecError extends Error {
  override readonly name = "EntryCodecError";
}

/** What a block holds, told by its first bytes. */
export interface BlockBounds {
  readonly count: number;
  readonly firstIndex: LogIndex;
  readonly firstTerm: Term;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
}

/**
 * One block out of entries whose indices follow each other and whose terms never fall; no entries give no bytes. Laid out
 * in `scratch`, or (null) in memory of its own. Throws {@link EntryCodecError} for a list that is not so.
 */
export function encodeEntries(
  entries: readonly Entry[],
  scratch: Scratch | null = null,
): Uint8Array {
  const first = entries[0];
  const last = entries.at(-1);
  if (first === undefined || last === undefined) return EMPTY;
  const bytes = blockBytes(entries);
  const block = scratch === null ? freshBytes(bytes) : scratch.take(bytes).subarray(0, bytes);
  const view = new DataView(block.buffer);
  view.setUint32(0, VERSION, true);
  view.setUint32(4, entries.length, true);
  writeUint64(view, 8, first.index);
  writeUint64(view, 16, first.term);
  writeUint64(view, 24, last.term);
  let at = HEADER_BYTES;
  let previousTerm: number = first.term;
  let index: number = first.index;
  for (const entry of entries) {
    if (entry.index !== index) throw new EntryCodecError("indices do not follow each other");
    index += 1;
    const data = dataOf(entry);
    block[at] = kindOf(entry);
    at = writeVarint(block, at + 1, entry.term - previousTerm);
    previousTerm = entry.term;
    view.setUint32(at, data.length, true);
    block.set(data, at + 4);
    at += 4 + data.length;
  }
  return block;
}

/** Null: a block without entries. Throws {@link EntryCodecError}. */
export function blockBounds(block: Uint8Array): BlockBounds | null {
  if (block.length === 0) return null;
  if (block.length < HEADER_BYTES) throw new EntryCodecError("a block ends within its header");
  const view = viewOf(block);
  if (view.getUint32(0, true) !== VERSION) throw new EntryCodecError("unknown format of a block");
  const count = view.getUint32(4, true);
  const firstIndex = readUint64(view, 8);
  const firstTerm = readUint64(view, 16);
  const lastTerm = readUint64(view, 24);
  if (count < 1 || count > (block.length - HEADER_BYTES) / ENTRY_BYTES_MIN) {
    throw new EntryCodecError("a block counts more entries than it can hold");
  }
  const lastIndex = firstIndex + count - 1;
  if (firstIndex < 1 || !Number.isSafeInteger(lastIndex)) {
    throw new EntryCodecError("a block has an impossible index");
  }
  if (!Number.isSafeInteger(lastTerm) || firstTerm > lastTerm) {
    throw new EntryCodecError("a block has impossible terms");
  }
  return {
    count,
    firstIndex: logIndex(firstIndex),
    firstTerm: term(firstTerm),
    lastIndex: logIndex(lastIndex),
    lastTerm: term(lastTerm),
  };
}

/** Throws {@link EntryCodecError} and nothing else. Command data are views of the block. */
export function decodeEntries(block: Uint8Array): Entry[] {
  const bounds = blockBounds(block);
  if (bounds === null) return [];
  const view = viewOf(block);
  const entries: Entry[] = [];
  const cursor = { at: HEADER_BYTES };
  let entryTerm: number = bounds.firstTerm;
  for (let position = 0; position < bounds.count; position += 1) {
    const kind = block[cursor.at];
    cursor.at += 1;
    entryTerm += readVarint(block, cursor);
    if (entryTerm > bounds.lastTerm) throw new EntryCodecError("a term beyond the block's last");
    if (cursor.at + 4 > block.length) throw new EntryCodecError("a block ends within an entry");
    const start = cursor.at + 4;
    cursor.at = start + view.getUint32(cursor.at, true);
    if (cursor.at > block.length) throw new EntryCodecError("a block ends within an entry's data");
    const index = logIndex(bounds.firstIndex + position);
    entries.push(entryOf(kind, index, term(entryTerm), block.subarray(start, cursor.at)));
  }
  if (cursor.at !== block.length) throw new EntryCodecError("a block has bytes behind its entries");
  if (entryTerm !== bounds.lastTerm) throw new EntryCodecError("a block ends in another term");
  return entries;
}

function entryOf(
  kind: number | undefined,
  index: LogIndex,
  entryTerm: Term,
  data: Uint8Array,
): Entry {
  switch (kind) {
    case KIND_COMMAND:
      return { kind: "command", term: entryTerm, index, data };
    case KIND_NOOP:
      if (data.length > 0) throw new EntryCodecError("a noop entry with data");
      return { kind: "noop", term: entryTerm, index };
    case KIND_CONFIG:
      try {
        return { kind: "config", term: entryTerm, index, membership: decodeMembership(data) };
      } catch (error) {
        if (!(error instanceof MembershipCodecError)) throw error;
        throw new EntryCodecError(error.message, { cause: error });
      }
    default:
      throw new EntryCodecError("an entry of unknown kind");
  }
}

function kindOf(entry: Entry): number {
  switch (entry.kind) {
    case "command":
      return KIND_COMMAND;
    case "noop":
      return KIND_NOOP;
    case "config":
      return KIND_CONFIG;
  }
}

function dataOf(entry: Entry): Uint8Array {
  if (entry.kind === "command") return entry.data;
  // Twice per entry, for its size and for its bytes: memberships are rare and small.
  return entry.kind === "config" ? encodeMembership(entry.membership) : EMPTY;
}

function blockBytes(entries: readonly Entry[]): number {
  let bytes = HEADER_BYTES;
  let previousTerm: number = entries[0]?.term ?? 0;
  for (const entry of entries) {
    const rise = entry.term - previousTerm;
    if (rise < 0) throw new EntryCodecError("a term below the one before it");
    previousTerm = entry.term;
    bytes += 5 + varintBytes(rise) + dataOf(entry).length;
  }
  return bytes;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}

function writeVarint(block: Uint8Array, at: number, value: number): number {
  let rest = value;
  let to = at;
  for (; rest >= 128; rest = Math.floor(rest / 128)) {
    block[to] = (rest % 128) + 128;
    to += 1;
  }
  block[to] = rest;
  return to + 1;
}

function readVarint(block: Uint8Array, cursor: { at: number }): number {
  let value = 0;
  let weight = 1;
  for (;;) {
    const byte = block[cursor.at];
    if (byte === undefined) throw new EntryCodecError("a block ends within a term");
    cursor.at += 1;
    value += (byte % 128) * weight;
    if (byte < 128) {
      // One number has one encoding.
      if (byte === 0 && weight > 1) throw new EntryCodecError("a term with a needless byte");
      return value;
    }
    weight *= 128;
    if (weight > Number.MAX_SAFE_INTEGER) throw new EntryCodecError("a term too large");
  }
}

function viewOf(block: Uint8Array): DataView {
  return new DataView(block.buffer, block.byteOffset, block.byteLength);
}
