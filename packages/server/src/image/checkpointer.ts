import type { Checkpoint, DataTree } from "@quorate/kv-store";
import type { SnapshotMeta } from "@quorate/raft";
import { assert } from "../assert.ts";
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

/** Where a checkpoint goes, and what it stands for. */
interface Target {
  readonly image: ImageStore;
  readonly meta: SnapshotMeta;
  /** Beyond this what there is so far is written, before the rest. */
  readonly batchBytesMax: number;
}

/** What is encoded and handed to the batch at once. */
const SLICE_COUNT = 512;
const SLICE_BYTES = 262_144;
/** Of an image that nobody relies on yet what is written at once; LevelDB holds it twice in memory. */
const BATCH_BYTES = 16_777_216;
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
  run(tree: DataTree, image: ImageStore, meta: SnapshotMeta): Promise<void> {
    return this.#run(tree, { image, meta, batchBytesMax: Infinity });
  }

  /**
   * Writes all of the tree into a new image, as {@link run} does, in place of the one that it was written to before: from now
   * on that is not written to any more, also when this rejects.
   */
  async renew(tree: DataTree, image: ImageStore, meta: SnapshotMeta): Promise<void> {
    assert(!this.#running, "image_renewed_between_checkpoints");
    tree.forgetImage();
    await this.#run(tree, { image, meta, batchBytesMax: BATCH_BYTES });
  }

  async #run(tree: DataTree, target: Target): Promise<void> {
    if (this.#running) throw new ServerError("STORAGE_FAILED", "a checkpoint is under way already");
    this.#running = true;
    const { image } = target;
    const checkpoint = tree.freeze();
    try {
      const readBack = await this.#write(checkpoint, target);
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

  async #write(checkpoint: Checkpoint, target: Target): Promise<ReadBack> {
    const { image, meta: snapshot, batchBytesMax } = target;
    const { clusterId, historyId } = this.#options;
    const imageMeta: ImageMeta = { clusterId, historyId, snapshot };
    const readBack = new ReadBack();
    let batch = image.batch();
    let batchBytes = 0;
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
          batchBytes += key.length + (value?.length ?? 0);
          readBack.note(key, value);
        }
        if (batchBytes > batchBytesMax) {
          await batch.write();
          batch = image.batch();
          batchBytes = 0;
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
