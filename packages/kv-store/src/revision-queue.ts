import type { Change } from "./apply-outcome.ts";
import { assert } from "./assert.ts";
import { type Zxid, zxid } from "./protocol/index.ts";

/** Revisions of one chunk. */
const CHUNK_REVISIONS = 1024;
const NOTHING: readonly Change[] = [];

/** A fixed number of revisions: zxids and sizes beside the changes, so that dropping one need not look at it. */
interface Chunk {
  readonly changes: (readonly Change[])[];
  readonly zxids: Float64Array;
  readonly bytes: Float64Array;
}

/**
 * The changes of ascending revisions, first in first out. In chunks of a fixed size, because one list of hundreds of
 * thousands would be copied whole whenever it grows or is cut.
 */
export class RevisionQueue {
  readonly #chunks: Chunk[] = [];
  /** Consumed slots of the first chunk. */
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(changes: readonly Change[], at: Zxid, bytes: number): void {
    const slot = this.#head + this.#length;
    assert(slot <= this.#chunks.length * CHUNK_REVISIONS, "revision_queue_without_holes");
    if (slot === this.#chunks.length * CHUNK_REVISIONS) this.#chunks.push(newChunk());
    const chunk = this.#chunks[this.#chunks.length - 1];
    assert(chunk !== undefined, "revision_queue_has_a_chunk");
    const offset = slot % CHUNK_REVISIONS;
    chunk.changes.push(changes);
    chunk.zxids[offset] = at;
    chunk.bytes[offset] = bytes;
    this.#length += 1;
  }

  /** Drops the oldest one; returns its bytes. */
  shift(): number {
    const chunk = this.#chunks[0];
    assert(chunk !== undefined && this.#length > 0, "shifted_revision_exists");
    const bytes = chunk.bytes[this.#head] ?? 0;
    chunk.changes[this.#head] = NOTHING;
    this.#head += 1;
    this.#length -= 1;
    if (this.#head === CHUNK_REVISIONS) {
      this.#chunks.shift();
      this.#head = 0;
    }
    return bytes;
  }

  /** Changes of the revision at `index`, counted from the oldest one. */
  changesAt(index: number): readonly Change[] {
    assert(index >= 0 && index < this.#length, "revision_in_queue");
    const slot = this.#head + index;
    return (
      this.#chunks[Math.floor(slot / CHUNK_REVISIONS)]?.changes[slot % CHUNK_REVISIONS] ?? NOTHING
    );
  }

  zxidAt(index: number): Zxid {
    assert(index >= 0 && index < this.#length, "revision_in_queue");
    const slot = this.#head + index;
    return zxid(
      this.#chunks[Math.floor(slot / CHUNK_REVISIONS)]?.zxids[slot % CHUNK_REVISIONS] ?? 0,
    );
  }
}

function newChunk(): Chunk {
  return {
    changes: [],
    zxids: new Float64Array(CHUNK_REVISIONS),
    bytes: new Float64Array(CHUNK_REVISIONS),
  };
}
