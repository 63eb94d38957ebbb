import { setTimeout as sleep } from "node:timers/promises";
import { assert } from "../assert.ts";
import { ServerError } from "../errors.ts";
import type { Files, OpenFile } from "../ports.ts";
import { withDamagingReads } from "./damaging-reads.ts";
import { LEVEL_BLOCK_BYTES, LevelLogReader } from "./level-log.ts";
import { tablesOf } from "./level-manifest.ts";
import { LevelTableReader, dataBlocksOf, isIndexWhole } from "./level-table.ts";

/** Names the manifest, which names everything else: without it there is no image. */
export const CURRENT_FILE = "CURRENT";
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
/** Logs of batches, by file name, the newest last: how many bytes they had when no batch was being written. */
export type LogSizes = ReadonlyMap<string, number>;

/** What an image in use stands on. */
export interface ImageInUse {
  /** Which logs of batches must be there, and how far. */
  readonly logs: () => Promise<LogSizes>;
  readonly tables: () => LiveTables;
}

/** A manifest that is not whole and grows no longer for so many looks, one every so often, is not being written to, ms. */
const MANIFEST_LOOKS = 10;
const MANIFEST_LOOKS_EVERY_MS = 100;

/**
 * The files of an image, beside LevelDB, which maps its tables into memory: whoever touches what has gone from behind such
 * a map, or cannot be read, is ended by a signal. Everything that is wrong with them fails with IMAGE_CORRUPT.
 */
export class LevelFiles {
  readonly #files: Files;
  readonly #directory: string;
  readonly #pause: () => Promise<void>;
  /** The manifest in use, as far as it was whole at the last look. */
  #manifest = { name: "", bytes: 0 };

  constructor(
    files: Files,
    directory: string,
    pause = (): Promise<void> => sleep(MANIFEST_LOOKS_EVERY_MS),
  ) {
    this.#files = withDamagingReads(files, "IMAGE_CORRUPT");
    this.#directory = directory;
    this.#pause = pause;
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
    if (name !== this.#manifest.name) this.#manifest = { name, bytes: 0 };
    let length = -1;
    for (let looks = 0; looks < MANIFEST_LOOKS; looks += 1) {
      const bytes = (await this.#files.readWhole(`${this.#directory}/${name}`)) ?? new Uint8Array();
      const reader = new LevelLogReader();
      reader.add(bytes);
      const { wholeBytes } = reader;
      if (reader.hasDamage || wholeBytes < this.#manifest.bytes) break;
      this.#manifest = { name, bytes: wholeBytes };
      if (wholeBytes > 0 && wholeBytes === bytes.length) return;
      // LevelDB may be writing to it, a part of a record at a time.
      if (bytes.length !== length) looks = 0;
      ({ length } = bytes);
      await this.#pause();
    }
    throw this.#changed(name);
  }

  /** Of the logs of batches. Nothing must be written meanwhile. */
  async logSizes(): Promise<LogSizes> {
    const sizes = new Map<string, number>();
    for (const name of [...(await this.#files.list(this.#directory))].sort(byNumber)) {
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
   * Reads all there is, in slices of whole blocks of LevelDB; yields how many bytes each had. `inUse`: null before the image is
   * opened. What LevelDB stands on is held to its checksums: of tables every block. In a log of batches the last one may never
   * have been written to its end before the image is opened, and it is damage where a whole one follows one that is not. (Not
   * every damage shows like that; what LevelDB passes over without a word its reader finds out by the digest of what is there,
   * and by the log that begins too late for it.)
   */
  async *read(sliceBytes: number, inUse: ImageInUse | null): AsyncGenerator<number, void> {
    assert(sliceBytes % LEVEL_BLOCK_BYTES === 0, "level_read_in_blocks");
    const sizes = inUse === null ? null : await inUse.logs();
    const tables = inUse === null ? await this.#tablesToBeOpened() : inUse.tables();
    for (const name of await this.#files.list(this.#directory)) {
      const file = DATA_FILE.test(name) ? await this.#open(name) : null;
      if (file === null) continue;
      try {
        const end = sizes?.get(name) ?? Infinity;
        const slices = slicesOf(file, sliceBytes, end);
        const tableBytes = tables.get(name);
        if (LOG_FILE.test(name)) yield* this.#readLog(name, slices, sizes === null ? null : end);
        else if (tableBytes !== undefined) yield* this.#readTable(name, file, tableBytes, slices);
        else for await (const slice of slices) yield slice.length;
      } finally {
        await file.close();
      }
    }
    if (inUse !== null) await this.#checkNewestLog(inUse.logs);
  }

  /** `end`: how far it must be there, Infinity where it was begun meanwhile; null before the image is opened. */
  async *#readLog(
    name: string,
    slices: AsyncIterable<Uint8Array>,
    end: number | null,
  ): AsyncGenerator<number, void> {
    const reader = new LevelLogReader();
    for await (const slice of slices) {
      reader.add(slice);
      yield slice.length;
    }
    const isShort = end !== null && end !== Infinity && reader.wholeBytes !== end;
    if (isShort || (end === null && reader.hasDamage)) throw this.#changed(name);
  }

  async *#readTable(
    name: string,
    file: OpenFile,
    tableBytes: number,
    slices: AsyncIterable<Uint8Array>,
  ): AsyncGenerator<number, void> {
    const blocks = await dataBlocksOf(file, tableBytes);
    if (blocks === null) throw this.#corrupt(`the index of ${name} changed`);
    const reader = new LevelTableReader(blocks);
    for await (const slice of slices) {
      reader.add(slice);
      yield slice.length;
    }
    if (!reader.isWhole) throw this.#changed(name);
  }

  /** A table that no manifest names may never have been written to its end. */
  async #tablesToBeOpened(): Promise<LiveTables> {
    const manifest = await this.#files.readWhole(
      `${this.#directory}/${await this.checkManifest()}`,
    );
    const tables = manifest === null ? null : tablesOf(manifest);
    return new Map([...(tables ?? [])].map(([number, bytes]) => [tableName(number), bytes]));
  }

  /** All others LevelDB removes once there are tables instead of them. */
  async #checkNewestLog(logs: () => Promise<LogSizes>): Promise<void> {
    const [name] = [...(await logs()).entries()].at(-1) ?? [];
    if (name === undefined || (await this.#exists(name))) return;
    const [newest] = [...(await logs()).entries()].at(-1) ?? [];
    if (newest === name) throw this.#corrupt(`${name} is gone`);
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

/** What LevelDB calls a table. */
export function tableName(number: number): string {
  return `${String(number).padStart(6, "0")}.ldb`;
}

async function* slicesOf(
  file: OpenFile,
  sliceBytes: number,
  end: number,
): AsyncGenerator<Uint8Array, void> {
  for (let at = 0, count = sliceBytes; count === sliceBytes && at < end; at += count) {
    const slice = await file.read(at, Math.min(sliceBytes, end - at));
    count = slice.length;
    if (count > 0) yield slice;
  }
}

/** Of files whose names begin with their number, by that. */
function byNumber(a: string, b: string): number {
  return Number.parseInt(a, 10) - Number.parseInt(b, 10);
}
