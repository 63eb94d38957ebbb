import { assert } from "./assert.ts";

const SHARDS = 64;

/** A map by number in shards, for the reason that `PathMap` is sharded. */
export class IdMap<V> {
  readonly #shards: readonly Map<number, V>[];
  #size = 0;

  constructor() {
    this.#shards = Array.from({ length: SHARDS }, () => new Map<number, V>());
  }

  get size(): number {
    return this.#size;
  }

  get(id: number): V | undefined {
    return this.#shard(id).get(id);
  }

  set(id: number, value: V): void {
    const shard = this.#shard(id);
    const before = shard.size;
    shard.set(id, value);
    this.#size += shard.size - before;
    assert(this.#size > 0, "map_size_counted");
  }

  delete(id: number): boolean {
    const wasThere = this.#shard(id).delete(id);
    if (wasThere) this.#size -= 1;
    assert(this.#size >= 0, "map_size_counted");
    return wasThere;
  }

  #shard(id: number): Map<number, V> {
    const shard = this.#shards[id & (SHARDS - 1)];
    assert(shard !== undefined, "shard_within_map");
    return shard;
  }
}
