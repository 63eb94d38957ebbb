import { assert } from "./assert.ts";

const CHUNK_MAX = 512;

/** One page of a {@link SortedNames}. */
export interface NamePage {
  readonly names: readonly string[];
  readonly more: boolean;
}

/**
 * A set of strings ascending by UTF-16 code unit, in chunks, so that neither a million of them nor a page in their
 * midst costs more than a few hundred moves.
 */
export class SortedNames implements Iterable<string> {
  /** None is empty. */
  readonly #chunks: string[][] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The least, or undefined. */
  get first(): string | undefined {
    return this.#chunks[0]?.[0];
  }

  /** False if it was there. */
  add(name: string): boolean {
    const last = this.#chunks.at(-1);
    if (last !== undefined && name > (last.at(-1) ?? "")) {
      assert(last.length <= CHUNK_MAX, "chunks_bounded");
      // Ascending names, the common case, need no search and leave full chunks behind.
      if (last.length < CHUNK_MAX) last.push(name);
      else this.#chunks.push([name]);
      this.#size += 1;
      return true;
    }
    const at = this.#chunkFor(name);
    const chunk = this.#chunks[at];
    if (chunk === undefined) {
      this.#chunks.push([name]);
      this.#size = 1;
      return true;
    }
    const index = lowerBound(chunk, name);
    if (chunk[index] === name) return false;
    this.#size += 1;
    if (chunk.length < CHUNK_MAX) insertAt(chunk, index, name);
    else this.#split(at, index, name);
    assert(this.#size >= this.#chunks.length, "sorted_names_size");
    return true;
  }

  /** False if it was not there. */
  delete(name: string): boolean {
    const at = this.#chunkFor(name);
    const chunk = this.#chunks[at];
    if (chunk === undefined) return false;
    const index = lowerBound(chunk, name);
    if (chunk[index] !== name) return false;
    this.#size -= 1;
    if (chunk.length === 1) this.#chunks.splice(at, 1);
    else chunk.splice(index, 1);
    assert(this.#size >= 0, "sorted_names_size");
    return true;
  }

  /** At most `limit` names after `after`; null: from the first. */
  page(after: string | null, limit: number): NamePage {
    assert(limit > 0, "page_limit_positive");
    const names: string[] = [];
    let at = after === null ? 0 : this.#chunkFor(after);
    let index = after === null ? 0 : this.#indexAfter(at, after);
    for (; at < this.#chunks.length; at += 1) {
      const chunk = this.#chunks[at] ?? [];
      for (; index < chunk.length; index += 1) {
        if (names.length === limit) return { names, more: true };
        names.push(chunk[index] ?? "");
      }
      index = 0;
    }
    return { names, more: false };
  }

  /**
   * The name at which `order` is 0, where `order` rises along the names: negative before it, positive after it.
   * Undefined if there is none.
   */
  find(order: (name: string) => number): string | undefined {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (order(this.#chunks[middle]?.[0] ?? "") <= 0) low = middle;
      else high = middle - 1;
    }
    const chunk = this.#chunks[low] ?? [];
    let from = 0;
    let to = chunk.length - 1;
    while (from <= to) {
      const middle = (from + to) >> 1;
      const name = chunk[middle] ?? "";
      const side = order(name);
      if (side === 0) return name;
      if (side < 0) from = middle + 1;
      else to = middle - 1;
    }
    return undefined;
  }

  *[Symbol.iterator](): IterableIterator<string> {
    for (const chunk of this.#chunks) yield* chunk;
  }

  #indexAfter(at: number, after: string): number {
    const chunk = this.#chunks[at] ?? [];
    const index = lowerBound(chunk, after);
    assert(index <= chunk.length, "place_within_chunk");
    return chunk[index] === after ? index + 1 : index;
  }

  /** Index of the last chunk that begins at or before `name`; 0 where none does. */
  #chunkFor(name: string): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#chunks[middle]?.[0] ?? "") <= name) low = middle;
      else high = middle - 1;
    }
    assert(low === 0 || low < this.#chunks.length, "chunk_within_set");
    return low;
  }

  #split(at: number, index: number, name: string): void {
    const chunk = this.#chunks[at] ?? [];
    assert(chunk.length === CHUNK_MAX, "only_full_chunks_split");
    const right = chunk.splice(CHUNK_MAX / 2);
    this.#chunks.splice(at + 1, 0, right);
    if (index <= chunk.length) insertAt(chunk, index, name);
    else insertAt(right, index - CHUNK_MAX / 2, name);
  }
}

function insertAt(chunk: string[], index: number, name: string): void {
  assert(index === 0 || (chunk[index - 1] ?? name) < name, "names_after_lesser_ones");
  assert(index === chunk.length || name < (chunk[index] ?? ""), "names_before_greater_ones");
  if (index === chunk.length) chunk.push(name);
  else chunk.splice(index, 0, name);
}

/** Index of the first name that is not before `name`. */
function lowerBound(chunk: readonly string[], name: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((chunk[middle] ?? "") < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
