import type { Change } from "./apply-outcome.ts";
import { assert } from "./assert.ts";
import { reached } from "./points.ts";
import { type SessionId, sessionId, type Stat, type Zxid, zxid } from "./protocol/index.ts";

/** Changes of one chunk. */
const CHUNK_CHANGES = 1024;
/** Bytes of a chunk's arenas: one holds the data of a chunk of common values. */
const ARENA_BYTES = 262_144;
/** Larger data has a buffer of its own in the tree, and is shared with it. */
const COPIED_BYTES_MAX = 512;

const KINDS: readonly Change["kind"][] = ["created", "deleted", "dataChanged"];
/** Positions in `KINDS`. */
const CREATED = 0;
const DELETED = 1;

/* Where what stands in a change's row of numbers. */
const KIND = 0;
const AUTHOR = 1;
/** Data: arena, or -1 for none of them, then position there or in `shared`, then length. */
const DATA = 2;
const BEFORE = 5;
const STAT = 8;
const STAT_BEFORE = 19;
const ROW = 30;

/** A fixed number of successive changes. */
interface Chunk {
  readonly numbers: Float64Array;
  readonly zxids: Float64Array;
  readonly countedBytes: Float64Array;
  readonly paths: string[];
  readonly arenas: Uint8Array[];
  readonly shared: Uint8Array[];
  /** The arena in use, and where its free bytes begin. */
  arena: number;
  used: number;
  /** Somebody reads it who may go on when the store has dropped it: it may not be used again. */
  isLent: boolean;
}

/**
 * Changes in order, first in first out, in columns of numbers and bytes. They are kept long enough for every one of them
 * to outlive the collections of young objects: as objects they would cost more than all the rest of a write (1.3 of
 * 3.3 µs; here 0.3).
 */
export class ChangeStore {
  readonly #chunks: Chunk[] = [];
  /** The chunk dropped last: used again, because new buffers by the megabyte make the collector walk the whole heap. */
  #spare: Chunk | null = null;
  /** Dropped changes of the first chunk. */
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(change: Change, countedBytes: number): void {
    const slot = this.#head + this.#length;
    const offset = slot % CHUNK_CHANGES;
    if (slot === this.#chunks.length * CHUNK_CHANGES) this.#chunks.push(this.#takeChunk());
    const chunk = this.#chunks[this.#chunks.length - 1];
    assert(chunk !== undefined && chunk.paths.length === offset, "change_store_without_holes");
    const { numbers } = chunk;
    const row = offset * ROW;
    const { kind, before } = change;
    chunk.paths.push(change.path);
    chunk.zxids[offset] = change.zxid;
    numbers[row + KIND] = KINDS.indexOf(kind);
    numbers[row + AUTHOR] = change.author;
    chunk.countedBytes[offset] = countedBytes;
    putBytes(chunk, row + DATA, change.data);
    putStat(numbers, row + STAT, change.stat);
    if (before !== null && kind === "dataChanged") {
      putBytes(chunk, row + BEFORE, before.data);
      putStat(numbers, row + STAT_BEFORE, before.stat);
    }
    this.#length += 1;
  }

  /** Drops the oldest one. */
  shift(): void {
    assert(this.#length > 0, "shifted_change_exists");
    this.#head += 1;
    this.#length -= 1;
    if (this.#head < CHUNK_CHANGES) return;
    const chunk = this.#chunks.shift();
    this.#head = 0;
    if (chunk?.isLent === true) reached("lent_changes_outlived_their_log");
    if (chunk !== undefined && !chunk.isLent) this.#spare = chunk;
  }

  zxidAt(index: number): Zxid {
    const chunk = this.#chunkOf(index);
    return zxidIn(chunk, (this.#head + index) % CHUNK_CHANGES);
  }

  countedBytesAt(index: number): number {
    return this.#chunkOf(index).countedBytes[(this.#head + index) % CHUNK_CHANGES] ?? 0;
  }

  /** The changes from `start` to `end`, which stay what they are whatever becomes of the store. */
  range(start: number, end: number): Iterable<Change> {
    assert(start <= end && end <= this.#length, "change_range_in_store");
    const from = this.#head + start;
    const to = this.#head + end;
    const first = Math.floor(from / CHUNK_CHANGES);
    const chunks = this.#chunks.slice(first, Math.ceil(to / CHUNK_CHANGES));
    for (const chunk of chunks) chunk.isLent = true;
    const base = first * CHUNK_CHANGES;
    return { [Symbol.iterator]: () => changesOf(chunks, from - base, to - base) };
  }

  #takeChunk(): Chunk {
    const chunk = this.#spare;
    if (chunk === null) return newChunk();
    reached("changes_memory_used_again");
    this.#spare = null;
    chunk.paths.length = 0;
    chunk.shared.length = 0;
    chunk.arena = 0;
    chunk.used = 0;
    return chunk;
  }

  #chunkOf(index: number): Chunk {
    assert(index >= 0 && index < this.#length, "change_in_store");
    const chunk = this.#chunks[Math.floor((this.#head + index) / CHUNK_CHANGES)];
    assert(chunk !== undefined, "change_has_a_chunk");
    return chunk;
  }
}

function newChunk(): Chunk {
  return {
    numbers: new Float64Array(CHUNK_CHANGES * ROW),
    zxids: new Float64Array(CHUNK_CHANGES),
    countedBytes: new Float64Array(CHUNK_CHANGES),
    paths: [],
    arenas: [new Uint8Array(ARENA_BYTES)],
    shared: [],
    arena: 0,
    used: 0,
    isLent: false,
  };
}

function* changesOf(chunks: readonly Chunk[], from: number, to: number): IterableIterator<Change> {
  for (let slot = from; slot < to; slot += 1) {
    const chunk = chunks[Math.floor(slot / CHUNK_CHANGES)];
    assert(chunk !== undefined, "change_range_complete");
    yield changeIn(chunk, slot % CHUNK_CHANGES);
  }
}

function changeIn(chunk: Chunk, offset: number): Change {
  const { numbers } = chunk;
  const row = offset * ROW;
  const kind = numbers[row + KIND] ?? CREATED;
  const data = bytesIn(chunk, row + DATA);
  const stat = statIn(numbers, row + STAT);
  let before: Change["before"] = kind === DELETED ? { data, stat } : null;
  if (kind > DELETED) {
    before = { data: bytesIn(chunk, row + BEFORE), stat: statIn(numbers, row + STAT_BEFORE) };
  }
  return {
    zxid: zxidIn(chunk, offset),
    kind: KINDS[kind] ?? "created",
    path: chunk.paths[offset] ?? "",
    data,
    stat,
    before,
    author: ownerOf(numberIn(numbers, row + AUTHOR)),
  };
}

function putBytes(chunk: Chunk, at: number, data: Uint8Array): void {
  const { numbers } = chunk;
  const { length } = data;
  numbers[at + 2] = length;
  if (length > COPIED_BYTES_MAX) {
    numbers[at] = -1;
    numbers[at + 1] = chunk.shared.length;
    chunk.shared.push(data);
    return;
  }
  if (chunk.used + length > ARENA_BYTES) {
    reached("changes_data_beyond_one_arena");
    chunk.arena += 1;
    chunk.used = 0;
    if (chunk.arena === chunk.arenas.length) chunk.arenas.push(new Uint8Array(ARENA_BYTES));
  }
  chunk.arenas[chunk.arena]?.set(data, chunk.used);
  numbers[at] = chunk.arena;
  numbers[at + 1] = chunk.used;
  chunk.used += length;
}

function bytesIn(chunk: Chunk, at: number): Uint8Array {
  const { numbers } = chunk;
  const arena = numbers[at] ?? -1;
  const position = numbers[at + 1] ?? 0;
  const length = numbers[at + 2] ?? 0;
  const bytes = arena < 0 ? chunk.shared[position] : chunk.arenas[arena];
  assert(bytes !== undefined, "change_bytes_kept");
  return arena < 0 ? bytes : bytes.subarray(position, position + length);
}

function putStat(numbers: Float64Array, at: number, stat: Stat): void {
  numbers[at] = stat.czxid;
  numbers[at + 1] = stat.mzxid;
  numbers[at + 2] = stat.pzxid;
  numbers[at + 3] = stat.ctimeMs;
  numbers[at + 4] = stat.mtimeMs;
  numbers[at + 5] = stat.version;
  numbers[at + 6] = stat.cversion;
  numbers[at + 7] = stat.aversion;
  numbers[at + 8] = stat.ephemeralOwner;
  numbers[at + 9] = stat.dataBytes;
  numbers[at + 10] = stat.childCount;
}

function statIn(numbers: Float64Array, at: number): Stat {
  return {
    czxid: zxid(numberIn(numbers, at)),
    mzxid: zxid(numberIn(numbers, at + 1)),
    pzxid: zxid(numberIn(numbers, at + 2)),
    ctimeMs: numberIn(numbers, at + 3),
    mtimeMs: numberIn(numbers, at + 4),
    version: numberIn(numbers, at + 5),
    cversion: numberIn(numbers, at + 6),
    aversion: numberIn(numbers, at + 7),
    ephemeralOwner: ownerOf(numberIn(numbers, at + 8)),
    dataBytes: numberIn(numbers, at + 9),
    childCount: numberIn(numbers, at + 10),
  };
}

function zxidIn(chunk: Chunk, offset: number): Zxid {
  return zxid(numberIn(chunk.zxids, offset));
}

/**
 * A number in the engine's own form for small whole ones. As it comes out of such an array it is a double, and the first
 * object with a double in a field makes all objects of its shape change theirs, and all code that was optimized for them go.
 */
function numberIn(numbers: Float64Array, at: number): number {
  const value = numbers[at] ?? 0;
  const small = value | 0;
  return small === value ? small : value;
}

function ownerOf(value: number): SessionId | 0 {
  return value === 0 ? 0 : sessionId(value);
}
