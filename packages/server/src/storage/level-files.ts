import { ServerError } from "../errors.ts";
import type { Files, OpenFile } from "../ports.ts";
import { withDamagingReads } from "./damaging-reads.ts";
import { isIndexWhole } from "./level-table.ts";

/** Names the manifest, which names everything else. */
const CURRENT_FILE = "CURRENT";
const CURRENT_CONTENT = /^(MANIFEST-\d+)\n$/u;
/**
 * What is stored. Nobody needs LevelDB's LOG for people. LOCK must not even be opened: who closes a file gives up all locks
 * that its process holds on it, whoever took them.
 */
const DATA_FILE = /^(?:\d+\.(?:ldb|sst|log)|MANIFEST-\d+|CURRENT)$/u;

/** Tables that LevelDB stands on now, by file name: how many bytes it wrote to each. */
export type LiveTables = ReadonlyMap<string, number>;

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

  /** There is a manifest, and CURRENT names it. */
  async checkManifest(): Promise<void> {
    for (let before: string | null = null; ;) {
      const bytes = await this.#files.readWhole(`${this.#directory}/${CURRENT_FILE}`);
      if (bytes === null) throw this.#corrupt(`no ${CURRENT_FILE} file`);
      const content = new TextDecoder("latin1").decode(bytes);
      const manifest = CURRENT_CONTENT.exec(content)?.[1];
      if (manifest !== undefined && (await this.#exists(manifest))) return;
      // Another process may have opened the image in between: then it names another one by now.
      if (content === before) {
        throw this.#corrupt(
          `${CURRENT_FILE} names ${manifest ?? "no manifest"}, which is not there`,
        );
      }
      before = content;
    }
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

  /** Reads all there is, in slices; yields how many bytes each had. */
  async *read(sliceBytes: number): AsyncGenerator<number, void> {
    for (const name of await this.#files.list(this.#directory)) {
      const file = DATA_FILE.test(name) ? await this.#open(name) : null;
      if (file === null) continue;
      try {
        for (let at = 0, count = sliceBytes; count === sliceBytes; at += count) {
          count = (await file.read(at, sliceBytes)).length;
          if (count > 0) yield count;
        }
      } finally {
        await file.close();
      }
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

  #corrupt(what: string): ServerError {
    return new ServerError("IMAGE_CORRUPT", `${this.#directory}: ${what}`);
  }
}
