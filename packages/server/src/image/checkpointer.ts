import type { Checkpoint, DataTree } from "@quorate/kv-store";
import type { SnapshotMeta } from "@quorate/raft";
import { ServerError } from "../errors.ts";
import { reached } from "../points.ts";
import type { ImageStore, MonotonicClock } from "../ports.ts";
import { IMAGE_META_KEY, encodeImageMeta, type ImageMeta } from "./image-meta.ts";
import { ReadBack } from "./read-back.ts";

export interface CheckpointerOptions {
  readonly clock: MonotonicClock;
  readonly clusterId: string;
  readonly historyId: string;
  /** Records encoded before other work gets its turn, unless time is up before. Default: no bound. */
  readonly turnRecordsMax?: number;
}

/** What is encoded and handed to the batch at once. */
const SLICE_COUNT = 512;
const SLICE_BYTES = 262_144;
/** Work without a pause. */
const TURN_MS_MAX = 4;

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
      const readBack = await this.#write(checkpoint, image, meta);
      await readBack.check(image);
      checkpoint.complete();
    } catch (error) {
      reached("checkpoint_failed");
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
  ): Promise<ReadBack> {
    const { clusterId, historyId } = this.#options;
    const imageMeta: ImageMeta = { clusterId, historyId, snapshot };
    const readBack = new ReadBack();
    const batch = image.batch();
    try {
      const { clock, turnRecordsMax = Infinity } = this.#options;
      let turnStart = clock.nowMs();
      let turnRecords = 0;
      for (;;) {
        const countMax = Math.min(SLICE_COUNT, turnRecordsMax - turnRecords);
        const records = checkpoint.next(countMax, SLICE_BYTES);
        if (records.length === 0) break;
        turnRecords += records.length;
        for (const { key, value } of records) {
          if (value === null) batch.delete(key);
          else batch.put(key, value);
          readBack.note(key, value);
        }
        if (turnRecords >= turnRecordsMax || clock.nowMs() - turnStart > TURN_MS_MAX) {
          reached("checkpoint_paused_for_other_work");
          await this.#pause();
          turnStart = clock.nowMs();
          turnRecords = 0;
        }
      }
      batch.put(IMAGE_META_KEY, encodeImageMeta(imageMeta));
    } catch (error) {
      await batch.discard();
      throw error;
    }
    await batch.write();
    return readBack;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.endOfTurn(resolve);
    });
  }
}
