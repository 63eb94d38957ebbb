import { dirname } from "node:path";
import { Level } from "level";
import { ServerError } from "../errors.ts";
import type { Files, ImageBatch, ImageStore, ImageStores, ImageView } from "../ports.ts";
import { checksum } from "./checksum.ts";
import { Scratch } from "./scratch.ts";

/** A checkpoint comes in large batches; the larger buffer halves the longest stall. */
const WRITE_BUFFER_BYTES = 33_554_432;
const CHECKSUM_BYTES = 4;

type ImageLevel = Level<string, Uint8Array>;

/**
 * Images in LevelDB. It verifies no checksums of its own and loses writes after a full disk without a word, so every value
 * carries a checksum over its key and itself, and the first error of a store is its last.
 */
export class LevelImageStores implements ImageStores {
  readonly #files: Files;

  constructor(files: Files) {
    this.#files = files;
  }

  /** Fails with STORAGE_LOCKED, IMAGE_CORRUPT (damaged, or none where one must be), STORAGE_FAILED, STORAGE_FULL. */
  async open(directory: string, options: { readonly create: boolean }): Promise<ImageStore> {
    const level: ImageLevel = new Level(directory, {
      keyEncoding: "utf8",
      valueEncoding: "view",
      createIfMissing: options.create,
      errorIfExists: options.create,
      compression: false,
      writeBufferSize: WRITE_BUFFER_BYTES,
    });
    try {
      await level.open();
    } catch (error) {
      throw levelError(`open ${directory}`, error);
    }
    const store = new LevelImageStore(level, directory, this.#files);
    if (!options.create) return store;
    try {
      await this.#files.syncDirectory(directory);
      await this.#files.syncDirectory(dirname(directory));
    } catch (error) {
      await store.close();
      throw error;
    }
    return store;
  }
}

class LevelImageStore implements ImageStore {
  readonly #level: ImageLevel;
  readonly #directory: string;
  readonly #files: Files;
  /** Where values are framed: LevelDB copies each within the call. */
  readonly #scratch = new Scratch();
  #failure: ServerError | null = null;

  constructor(level: ImageLevel, directory: string, files: Files) {
    this.#level = level;
    this.#directory = directory;
    this.#files = files;
  }

  batch(): ImageBatch {
    this.#refuse();
    const batch = this.#level.batch();
    let isOpen = true;
    return {
      put: (key, value) => void batch.put(key, this.#framed(key, value)),
      delete: (key) => void batch.del(key),
      write: async () => {
        isOpen = false;
        await this.#run(`write a batch to ${this.#directory}`, async () => {
          await batch.write({ sync: true });
          // LevelDB may have begun a file for this batch, and syncs a directory only for its manifest.
          await this.#files.syncDirectory(this.#directory);
        });
      },
      discard: async () => {
        if (isOpen) await batch.close();
        isOpen = false;
      },
    };
  }

  async getMany(keys: readonly string[]): Promise<readonly (Uint8Array | null)[]> {
    const values = await this.#run(`read ${keys.length} values`, () =>
      this.#level.getMany([...keys]),
    );
    return keys.map((key, at) => {
      const value = values[at];
      return value === undefined ? null : this.#unframed(key, value);
    });
  }

  view(): ImageView {
    this.#refuse();
    const snapshot = this.#level.snapshot();
    let reader: { readonly bytesMax: number; readonly iterator: Reader } | null = null;
    let lastKey: string | null = null;
    return {
      next: (countMax, bytesMax) =>
        this.#run("iterate", async () => {
          // How much comes at once is settled when an iterator is made.
          if (reader?.bytesMax !== bytesMax) {
            await reader?.iterator.close();
            const range = lastKey === null ? {} : { gt: lastKey };
            const options = { ...range, snapshot, highWaterMarkBytes: bytesMax };
            reader = { bytesMax, iterator: this.#level.iterator(options) };
          }
          const page = await reader.iterator.nextv(countMax);
          lastKey = page.at(-1)?.[0] ?? lastKey;
          return page.map(([key, value]) => [key, this.#unframed(key, value)] as const);
        }),
      close: async () => {
        await reader?.iterator.close();
        await snapshot.close();
      },
    };
  }

  async close(): Promise<void> {
    this.#failure ??= new ServerError("STOPPED", "the image was closed");
    try {
      await this.#level.close();
    } catch (error) {
      throw levelError(`close ${this.#directory}`, error);
    }
  }

  async #run<T>(operation: string, run: () => Promise<T>): Promise<T> {
    this.#refuse();
    try {
      return await run();
    } catch (error) {
      this.#failure ??= levelError(operation, error);
      throw this.#failure;
    }
  }

  #refuse(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  /** Checksum over key and value, then the value: a value under another key is as wrong as one that changed. */
  #framed(key: string, value: Uint8Array): Uint8Array {
    const length = CHECKSUM_BYTES + value.length;
    const bytes = this.#scratch.take(length).subarray(0, length);
    new DataView(bytes.buffer).setUint32(0, checksum(value, checksum(key, 0)), true);
    bytes.set(value, CHECKSUM_BYTES);
    return bytes;
  }

  #unframed(key: string, value: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    const content = bytes.subarray(CHECKSUM_BYTES);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (
      bytes.length < CHECKSUM_BYTES ||
      view.getUint32(0, true) !== checksum(content, checksum(key, 0))
    ) {
      this.#failure ??= new ServerError("IMAGE_CORRUPT", `the value of ${key} changed on disk`);
      throw this.#failure;
    }
    return content;
  }
}

interface Reader {
  nextv(size: number): Promise<[string, Uint8Array][]>;
  close(): Promise<void>;
}

function levelError(operation: string, error: unknown): ServerError {
  if (error instanceof ServerError) return error;
  const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const text = reason instanceof Error ? reason.message : String(reason);
  const code = codeOf(reason);
  const message = `${operation}: ${text}`;
  if (code === "LEVEL_LOCKED") {
    const held = `${operation}: another process has it open, perhaps a node that still runs`;
    return new ServerError("STORAGE_LOCKED", held, error);
  }
  if (code === "LEVEL_CORRUPTION" || text.includes("does not exist (create_if_missing")) {
    return new ServerError("IMAGE_CORRUPT", message, error);
  }
  const full = text.includes("No space left") || text.includes("Disk quota exceeded");
  return new ServerError(full ? "STORAGE_FULL" : "STORAGE_FAILED", message, error);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : null;
}
