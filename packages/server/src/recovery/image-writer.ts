import { IMAGE_META_KEY } from "../image/image-meta.ts";
import type { ImageBatch, ImageStore } from "../ports.ts";

/** Records are handed to the disk in batches of about this many bytes. */
const BATCH_BYTES = 1_048_576;

/** Copies records into an image, all but the one that says what they stand for. */
export class ImageWriter {
  readonly #image: ImageStore;
  #batch: ImageBatch | null = null;
  #bytes = 0;

  constructor(image: ImageStore) {
    this.#image = image;
  }

  async add(records: readonly (readonly [key: string, value: Uint8Array])[]): Promise<void> {
    for (const [key, value] of records) {
      if (key === IMAGE_META_KEY) continue;
      this.#batch ??= this.#image.batch();
      this.#batch.put(key, value);
      this.#bytes += key.length + value.length;
    }
    if (this.#bytes >= BATCH_BYTES) await this.finish();
  }

  /** What was added is durable. */
  async finish(): Promise<void> {
    const batch = this.#batch;
    this.#batch = null;
    this.#bytes = 0;
    await batch?.write();
  }
}
