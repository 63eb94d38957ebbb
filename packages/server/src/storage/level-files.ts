import { assert } from "../assert.ts";
import { ServerError } from "../errors.ts";
import type { Files, OpenFile } from "../ports.ts";
import { withDamagingReads } from "./damaging-reads.ts";
import { LEVEL_BLOCK_BYTES, LevelLogReader } from "./level-log.ts";
import { isIndexWhole } from "./level-table.ts";

/** Names the manifest, which names everything else. */
const CURRENT_FILE = "CURRENT";
const CURRENT_CONTENT = /^(MANIFEST-\d+)\n$/u;
/**
 * What is stored. Nobody needs LevelDB's LOG for people. LOCK must not even be opened: who closes a file gives up all locks
 * that its process holds on it, whoever took them.
 */
const DATA_FILE = /^(?:\d+\.(?:ldb|sst|log)|MANIFEST-\d+|CURRENT)$/u;

/** What was written since the newest table. */
const LOG_FILE = /^\d+\.log$/u;

/** Tables that LevelDB stands on now, by file name: how many bytes it wrote to each. */
export type LiveTables = ReadonlyMap<string, number>;
/** Logs of batches, by file name: how many bytes they have when no batch is being written. */
export type LogSizes = ReadonlyMap<string, number>;

/**
 * The files of an image, beside LevelDB, which maps its tables into memory: whoever touches what has gone from behind such
 * a map, or cannot be read, is ended by a signal. Everything that is wrong with them fails with IMAGE_CORRUPT.
 */
export class LevelFiles {
  readonly #files: Files;
  readonly #directory: string;

  constructor(files: Files, directory: string) {
    this.#files = withDamagingReads(files, "IMAGE_CORRUPT");
    this.#directory = directory;
  }

  /** There is a manifest, and CURRENT names it. Resolves to its name. */
  async checkManifest(): Promise<string> {
    for (let before: string | null = null; ;) {
      const bytes = await this.#files.readWhole(`${this.#directory}/${CURRENT_FILE}`);
      if (bytes === null) throw this.#corrupt(`no ${CURRENT_FILE} file`);
      const content = new TextDecoder("latin1").decode(bytes);
      const manifest = CURRENT_CONTENT.exec(content)?.[1];
      if (manifest !== undefined && (await this.#exists(manifest))) return manifest;
      // Another process may have opened the image in between: then it names another one by now.
      if (content === before) {
        throw this.#corrupt(
          `${CURRENT_FILE} names ${manifest ?? "no manifest"}, which is not there`,
        );
      }
      before = content;
    }
  }

  /** The manifest of an image in use says what it said: LevelDB looks at it only when it opens the image. */
  async checkManifestInUse(): Promise<void> {
    const name = await this.checkManifest();
    for (let before: number | null = null; ;) {
      const bytes = await this.#files.readWhole(`${this.#directory}/${name}`);
      const reader = new LevelLogReader();
      reader.add(bytes ?? new Uint8Array());
      if (bytes !== null && bytes.length > 0 && reader.wholeBytes === bytes.length) return;
      // LevelDB may be writing to it: then it is longer the next time.
      if (reader.hasDamage || before === bytes?.length) throw this.#changed(name);
      before = bytes?.length ?? 0;
    }
  }

  /** Of the logs of batches. Nothing must be written meanwhile. */
  async logSizes(): Promise<LogSizes> {
    const sizes = new Map<string, number>();
    for (const name of await this.#files.list(this.#directory)) {
      const file = LOG_FILE.test(name) ? await this.#open(name) : null;
      if (file === null) continue;
      try {
        sizes.set(name, await file.size());
      } finally {
        await file.close();
      }
    }
    return sizes;
  }

  /** Every table is as long as it was written, and LevelDB finds its way through it. */
  async checkTables(tables: () => LiveTables): Promise<void> {
    for (const [name, bytes] of tables()) {
      const file = await this.#open(name);
      if (file === null) {
        // LevelDB removes a table only when it stands on it no more, and never comes back to it.
        if (tables().has(name)) throw this.#corrupt(`${name} is gone`);
        continue;
      }
      try {
        const size = await file.size();
        if (size < bytes) throw this.#corrupt(`${name} has ${size} bytes left of ${bytes}`);
        if (!(await isIndexWhole(file, bytes))) throw this.#corrupt(`the index of ${name} changed`);
      } finally {
        await file.close();
      }
    }
  }

  /**
   * Reads all there is, in slices of whole blocks of LevelDB; yields how many bytes each had. Batches of which LevelDB would
   * know nothing any more are damage. `inUse`: how far those are to be there to the last byte that were written since the image
   * was opened; null before, when the last batch may be one that was never written to its end.
   */
  async *read(sliceBytes: number, inUse: LogSizes | null): AsyncGenerator<number, void> {
    assert(sliceBytes % LEVEL_BLOCK_BYTES === 0, "level_read_in_blocks");
    for (const name of await this.#files.list(this.#directory)) {
      const file = DATA_FILE.test(name) ? await this.#open(name) : null;
      if (file === null) continue;
      const log = LOG_FILE.test(name) ? new LevelLogReader() : null;
      const logBytes = inUse?.get(name) ?? null;
      const end = logBytes ?? Infinity;
      try {
        for (let at = 0, count = sliceBytes; count === sliceBytes && at < end; at += count) {
          const slice = await file.read(at, Math.min(sliceBytes, end - at));
          count = slice.length;
          log?.add(slice);
          if (count > 0) yield count;
        }
      } finally {
        await file.close();
      }
      const isShort = logBytes !== null && log?.wholeBytes !== logBytes;
      // A log that was begun meanwhile is not judged.
      if (isShort || (inUse === null && log?.hasDamage === true)) throw this.#changed(name);
    }
  }

  /** Null: there is no such file, or no longer. */
  async #open(name: string): Promise<OpenFile | null> {
    try {
      const path = `${this.#directory}/${name}`;
      return await this.#files.open(path, { create: false, durable: false });
    } catch (error) {
      if (await this.#exists(name)) throw error;
      return null;
    }
  }

  async #exists(name: string): Promise<boolean> {
    return (await this.#files.list(this.#directory)).includes(name);
  }

  #changed(name: string): ServerError {
    return this.#corrupt(`${name} changed on disk`);
  }

  #corrupt(what: string): ServerError {
    return new ServerError("IMAGE_CORRUPT", `${this.#directory}: ${what}`);
  }
}
