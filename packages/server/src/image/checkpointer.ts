import type { Checkpoint, DataTree } from "@quorate/kv-store";
import type { SnapshotMeta } from "@quorate/raft";
import { ServerError } from "../errors.ts";
import type { ImageStore, MonotonicClock } from "../ports.ts";
import { IMAGE_META_KEY, encodeImageMeta, type ImageMeta } from "./image-meta.ts";

export interface CheckpointerOptions {
  readonly clock: MonotonicClock;
  readonly clusterId: string;
  readonly historyId: string;
}

/** Records encoded and handed to the batch before other work gets its turn. */
const SLICE_COUNT = 512;
const SLICE_BYTES = 262_144;
/** Work without a pause. */
const SLICE_MS_MAX = 4;
/** Keys of a checkpoint that are read back. */
const READ_BACK_MAX = 2_000;
/** Keys that are read back at once. */
const READ_BACK_PAGE = 250;

/**
 * Writes the state machine's changes since the last checkpoint into the image: frozen at one index, drained in slices
 * while the node goes on, written once, durably, and read back before anybody relies on it.
 */
export class Checkpointer {
  readonly #options: CheckpointerOptions;
  #running = false;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#running;
  }

  /**
   * `meta` is of the tree's last applied entry. Resolves once the image stands for it. Rejects with a `ServerError`; the
   * image is then as it was.
   */
  async run(tree: DataTree, image: ImageStore, meta: SnapshotMeta): Promise<void> {
    if (this.#running) throw new ServerError("STORAGE_FAILED", "a checkpoint is under way already");
    this.#running = true;
    const checkpoint = tree.freeze();
    try {
      const written = await this.#write(checkpoint, image, meta);
      await this.#readBack(image, written);
      checkpoint.complete();
    } catch (error) {
      checkpoint.abandon();
      throw error;
    } finally {
      this.#running = false;
    }
  }

  async #write(
    checkpoint: Checkpoint,
    image: ImageStore,
    snapshot: SnapshotMeta,
  ): Promise<ReadonlyMap<string, Uint8Array | null>> {
    const { clusterId, historyId } = this.#options;
    const imageMeta: ImageMeta = { clusterId, historyId, snapshot };
    const written = new Map<string, Uint8Array | null>();
    const batch = image.batch();
    try {
      let sliceStart = this.#options.clock.nowMs();
      for (;;) {
        const records = checkpoint.next(SLICE_COUNT, SLICE_BYTES);
        if (records.length === 0) break;
        for (const { key, value } of records) {
          if (value === null) batch.delete(key);
          else batch.put(key, value);
          // A key may come twice, and the later record wins.
          if (written.size < READ_BACK_MAX || written.has(key)) written.set(key, value);
        }
        if (this.#options.clock.nowMs() - sliceStart > SLICE_MS_MAX) {
          await this.#pause();
          sliceStart = this.#options.clock.nowMs();
        }
      }
      batch.put(IMAGE_META_KEY, encodeImageMeta(imageMeta));
    } catch (error) {
      await batch.discard();
      throw error;
    }
    await batch.write();
    return written;
  }

  async #readBack(
    image: ImageStore,
    written: ReadonlyMap<string, Uint8Array | null>,
  ): Promise<void> {
    const keys = [...written.keys()];
    for (let at = 0; at < keys.length; at += READ_BACK_PAGE) {
      const page = keys.slice(at, at + READ_BACK_PAGE);
      const values = await image.getMany(page);
      for (const [i, key] of page.entries()) {
        if (sameBytes(values[i] ?? null, written.get(key) ?? null)) continue;
        throw new ServerError("IMAGE_CORRUPT", `the image gave back something else for ${key}`);
      }
    }
    const [meta] = await image.getMany([IMAGE_META_KEY]);
    if (meta === null) {
      throw new ServerError("IMAGE_CORRUPT", "the image lost the meta record just written");
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.endOfTurn(resolve);
    });
  }
}

function sameBytes(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === null || b === null) return a === b;
  return Buffer.compare(a, b) === 0;
}
