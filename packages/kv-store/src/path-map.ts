import { assert } from "./assert.ts";

const SHARDS = 256;

/**
 * A map by string for a million keys and more: one flat Map of 2^20 entries stalls for a tenth of a second and longer
 * when it grows, 256 small ones grow one at a time.
 */
export class PathMap<V> {
  /** Made when something enters them: most maps are small, and some are made for every connection. */
  readonly #shards: (Map<string, V> | null)[] = Array.from({ length: SHARDS }, () => null);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): V | undefined {
    return this.#shards[shardOf(key)]?.get(key);
  }

  has(key: string): boolean {
    return this.#shards[shardOf(key)]?.has(key) ?? false;
  }

  set(key: string, value: V): void {
    const shard = this.#shard(key);
    const before = shard.size;
    shard.set(key, value);
    this.#size += shard.size - before;
    assert(this.#size > 0, "map_size_counted");
  }

  /** False, and nothing changes, if the key is taken. */
  add(key: string, value: V): boolean {
    const shard = this.#shard(key);
    if (shard.has(key)) return false;
    shard.set(key, value);
    this.#size += 1;
    return true;
  }

  delete(key: string): boolean {
    const wasThere = this.#shards[shardOf(key)]?.delete(key) ?? false;
    if (wasThere) this.#size -= 1;
    assert(this.#size >= 0, "map_size_counted");
    return wasThere;
  }

  /** In no order that may matter: it depends on the history of insertions. */
  *values(): IterableIterator<V> {
    for (const shard of this.#shards) if (shard !== null) yield* shard.values();
  }

  #shard(key: string): Map<string, V> {
    const at = shardOf(key);
    let shard = this.#shards[at] ?? null;
    if (shard === null) {
      shard = new Map();
      this.#shards[at] = shard;
    }
    return shard;
  }
}

/** Samples at most 64 units of a long key, from its end, where siblings differ. */
function shardOf(key: string): number {
  const step = (key.length >> 5) + 1;
  let hash = key.length;
  for (let i = key.length - 1; i >= 0; i -= step)
    hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0;
  return (hash ^ (hash >>> 8) ^ (hash >>> 16)) & (SHARDS - 1);
}
