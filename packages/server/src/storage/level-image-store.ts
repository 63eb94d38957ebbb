import { Level } from "level";
import { basename, dirname } from "node:path";
import { assert } from "../assert.ts";
import { ServerError, isDamage } from "../errors.ts";
import type { Files, ImageBatch, ImageStore, ImageStores, ImageView } from "../ports.ts";
import { checksum } from "./checksum.ts";
import { levelError, type LevelWork } from "./level-error.ts";
import { LevelFiles, tableName, type LiveTables, type LogSizes } from "./level-files.ts";
import { Scratch } from "./scratch.ts";

/** A checkpoint comes in large batches; the larger buffer halves the longest stall. */
const WRITE_BUFFER_BYTES = 33_554_432;
const CHECKSUM_BYTES = 4;
/** What is read at once before an image is opened: as fast as the disk gives it. */
const OPENING_SLICE_BYTES = 4_194_304;
/** The same while it is in use. */
const CHECK_SLICE_BYTES = 262_144;

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
    const onDisk = new LevelFiles(this.#files, directory);
    if (!options.create) await this.#readAll(directory, onDisk);
    const level = newLevel(directory, { create: options.create, refuse: options.create });
    try {
      await level.open();
    } catch (error) {
      throw levelError(`open ${directory}`, error, options.create ? "creating" : "opening");
    }
    const store = new LevelImageStore(level, directory, { files: this.#files, onDisk });
    try {
      if (options.create) {
        await this.#files.syncDirectory(directory);
        await this.#files.syncDirectory(dirname(directory));
      } else await onDisk.checkTables(() => liveTables(level));
    } catch (error) {
      await store.close();
      throw error;
    }
    return store;
  }

  /** What cannot be read shows here as an error, and no longer as a signal; LevelDB then finds it in the kernel's cache. */
  async #readAll(directory: string, onDisk: LevelFiles): Promise<void> {
    try {
      await onDisk.checkManifest();
      for await (const _bytes of onDisk.read(OPENING_SLICE_BYTES, null));
    } catch (error) {
      await this.#refuseLocked(directory);
      throw error;
    }
  }

  /**
   * What another process is at work on is not damaged. Reads nothing: LevelDB takes its lock before it looks at anything. It
   * makes the directory for it where there is none, which would then look like an image.
   */
  async #refuseLocked(directory: string): Promise<void> {
    const names = await this.#files.list(dirname(directory));
    if (!names.includes(basename(directory))) return;
    const level = newLevel(directory, { create: false, refuse: true });
    try {
      await level.open();
      await level.close();
    } catch (error) {
      const failure = levelError(`open ${directory}`, error, "opening");
      if (failure.code === "STORAGE_LOCKED") throw failure;
    }
  }
}

class LevelImageStore implements ImageStore {
  readonly #level: ImageLevel;
  readonly #directory: string;
  readonly #files: Files;
  readonly #onDisk: LevelFiles;
  /** Where values are framed: LevelDB copies each within the call. */
  readonly #scratch = new Scratch();
  #failure: ServerError | null = null;
  /** As the last batch left them. Null: nobody looked. */
  #logs: LogSizes | null = null;
  /** What is written, or waits for that. */
  #writing: Promise<unknown> = Promise.resolve();

  constructor(
    level: ImageLevel,
    directory: string,
    { files, onDisk }: { readonly files: Files; readonly onDisk: LevelFiles },
  ) {
    this.#level = level;
    this.#directory = directory;
    this.#files = files;
    this.#onDisk = onDisk;
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
        await this.#run("writing", `write a batch to ${this.#directory}`, () =>
          this.#alone(async () => {
            this.#refuse();
            this.#logs = null;
            await batch.write({ sync: true });
            // LevelDB may have begun a file for this batch, and syncs a directory only for its manifest.
            await this.#files.syncDirectory(this.#directory);
            // Without them a look takes those that it finds.
            await this.#logsInUse().catch(() => {});
          }),
        );
      },
      discard: async () => {
        if (isOpen) await batch.close();
        isOpen = false;
      },
    };
  }

  async getMany(keys: readonly string[]): Promise<readonly (Uint8Array | null)[]> {
    const values = await this.#run("reading", `read ${keys.length} values`, () =>
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
      next: async (countMax, bytesMax) => {
        // Whoever views an image may read all of it.
        if (reader === null) await this.#checkTables();
        return this.#run("reading", "iterate", async () => {
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
        });
      },
      close: async () => {
        await reader?.iterator.close();
        await snapshot.close();
      },
    };
  }

  async *check(): AsyncGenerator<number, void> {
    this.#refuse();
    try {
      await this.#onDisk.checkManifestInUse();
      await this.#checkTables();
      const inUse = {
        logs: () => this.#alone(() => this.#logsInUse()),
        tables: () => this.#liveTables(),
      };
      for await (const bytes of this.#onDisk.read(CHECK_SLICE_BYTES, inUse)) {
        yield bytes;
        this.#refuse();
      }
    } catch (error) {
      if (isDamage(error)) this.#failure ??= error;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#failure ??= new ServerError("STOPPED", "the image was closed");
    try {
      await this.#level.close();
    } catch (error) {
      throw levelError(`close ${this.#directory}`, error, "writing");
    }
  }

  async #run<T>(work: LevelWork, operation: string, run: () => Promise<T>): Promise<T> {
    this.#refuse();
    try {
      return await run();
    } catch (error) {
      this.#failure ??= levelError(operation, error, work);
      throw this.#failure;
    }
  }

  async #logsInUse(): Promise<LogSizes> {
    this.#logs ??= await this.#onDisk.logSizes();
    return this.#logs;
  }

  /** After all that is being written, and before anything else is. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#writing.then(work);
    this.#writing = done.catch(() => {});
    return done;
  }

  /** That they cannot be looked at now, as there are too many files open, says nothing of them. */
  async #checkTables(): Promise<void> {
    try {
      await this.#onDisk.checkTables(() => this.#liveTables());
    } catch (error) {
      if (isDamage(error)) this.#failure ??= error;
      throw error;
    }
  }

  #liveTables(): LiveTables {
    this.#refuse();
    return liveTables(this.#level);
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

/** `create`: unless there is one. `refuse`: if there is one. */
function newLevel(
  directory: string,
  { create, refuse }: { readonly create: boolean; readonly refuse: boolean },
): ImageLevel {
  return new Level(directory, {
    keyEncoding: "utf8",
    valueEncoding: "view",
    createIfMissing: create,
    errorIfExists: refuse,
    compression: false,
    writeBufferSize: WRITE_BUFFER_BYTES,
  });
}

/** In this runtime LevelDB itself, which tells what it stands on without looking at the disk. */
interface Inspectable {
  getProperty(name: string): string;
}

function isInspectable(level: object): level is Inspectable {
  return "getProperty" in level;
}

function liveTables(level: ImageLevel): LiveTables {
  assert(isInspectable(level), "level_is_leveldb");
  const text = level.getProperty("leveldb.sstables");
  // ` 17:2049['a' .. 'd']`: number, bytes, keys without line breaks.
  const lines = text.matchAll(/^ (\d+):(\d+)\[/gmu);
  return new Map([...lines].map(([, number, bytes]) => [tableName(Number(number)), Number(bytes)]));
}
