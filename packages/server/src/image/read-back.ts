import { ServerError } from "../errors.ts";
import type { ImageStore } from "../ports.ts";
import { checksum } from "../storage/checksum.ts";
import { IMAGE_META_KEY } from "./image-meta.ts";

/**
 * Bounds of what is read back of one checkpoint, little beside what was written: it tells an image that does not give back
 * what it took. LevelDB answers from its memory at first; what the disk makes of it the scrubbing and the next start tell.
 */
const KEYS_MAX = 2_000;
const BYTES_MAX = 1_048_576;
/** Keys that are read back at once. */
const PAGE_KEYS = 250;

/** Of the records that a checkpoint writes, those that are read again before anybody relies on it: the first, and the meta. */
export class ReadBack {
  /** Checksum of each value; null: deleted. */
  readonly #sums = new Map<string, number | null>();
  #bytes = 0;

  /** A record is written. A key may come twice, and the later record wins. */
  note(key: string, value: Uint8Array | null): void {
    const isFull = this.#sums.size >= KEYS_MAX || this.#bytes >= BYTES_MAX;
    if (isFull && !this.#sums.has(key)) return;
    this.#bytes += value?.length ?? 0;
    this.#sums.set(key, sumOf(value));
  }

  /** Fails with IMAGE_CORRUPT when the image holds anything else. */
  async check(image: ImageStore): Promise<void> {
    const keys = [...this.#sums.keys()];
    for (let at = 0; at < keys.length; at += PAGE_KEYS) {
      const page = keys.slice(at, at + PAGE_KEYS);
      const values = await image.getMany(page);
      for (const [i, key] of page.entries()) {
        if (sumOf(values[i] ?? null) === this.#sums.get(key)) continue;
        throw new ServerError("IMAGE_CORRUPT", `the image gave back something else for ${key}`);
      }
    }
    const [meta] = await image.getMany([IMAGE_META_KEY]);
    if (meta === null) {
      throw new ServerError("IMAGE_CORRUPT", "the image lost the meta record just written");
    }
  }
}

function sumOf(value: Uint8Array | null): number | null {
  return value === null ? null : checksum(value, 0);
}
