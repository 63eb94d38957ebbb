import * as fs from "node:fs";
import { mkdir, readFile, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import { dirname, resolve as absolute } from "node:path";
import type { Files, OpenFile } from "../ports.ts";
import { fileError } from "./file-error.ts";
import { freshBytes } from "./fresh-bytes.ts";

/**
 * The file system of this machine. Reads and writes go through the callback functions on raw descriptors, which cost
 * less per call than promises of `node:fs`; a durable file is opened O_DSYNC, so a write is one system call.
 */
export class NodeFiles implements Files {
  async makeDirectory(path: string): Promise<void> {
    await guarded("make directory", path, async () => {
      // One by one: Node's own way to make them all never ends where the system lets nothing be made, as in /proc.
      const missing: string[] = [];
      for (let at = absolute(path); !(await isDirectory(at)); at = dirname(at)) missing.push(at);
      for (const each of missing.reverse()) {
        await makeOne(each);
        // Each new name stands in the directory above it.
        await syncDirectory(dirname(each));
      }
    });
  }

  async list(path: string): Promise<readonly string[]> {
    return guarded("list", path, async () => {
      try {
        return (await readdir(path)).sort();
      } catch (error) {
        if (isMissing(error)) return [];
        throw error;
      }
    });
  }

  async readWhole(path: string): Promise<Uint8Array | null> {
    return guarded("read", path, async () => {
      try {
        const bytes = await readFile(path);
        return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    });
  }

  open(
    path: string,
    options: { readonly create: boolean; readonly durable: boolean; readonly readOnly?: boolean },
  ): Promise<OpenFile> {
    const { O_CREAT, O_DSYNC, O_EXCL, O_RDONLY, O_RDWR } = fs.constants;
    const flags =
      (options.readOnly === true ? O_RDONLY : O_RDWR) |
      (options.create ? O_CREAT | O_EXCL : 0) |
      (options.durable ? O_DSYNC : 0);
    return new Promise((resolve, reject) => {
      fs.open(path, flags, 0o600, (error, descriptor) => {
        if (error === null) resolve(new NodeFile(path, descriptor));
        else reject(fileError("open", path, error));
      });
    });
  }

  async rename(from: string, to: string): Promise<void> {
    await guarded("rename", from, () => rename(from, to));
  }

  async remove(path: string): Promise<void> {
    await guarded("remove", path, () => rm(path, { recursive: true, force: true }));
  }

  async syncDirectory(path: string): Promise<void> {
    await guarded("sync directory", path, () => syncDirectory(path));
  }

  async space(path: string): Promise<{ readonly freeBytes: number; readonly totalBytes: number }> {
    return guarded("ask for space of", path, async () => {
      const stats = await statfs(path);
      return { freeBytes: stats.bavail * stats.bsize, totalBytes: stats.blocks * stats.bsize };
    });
  }
}

class NodeFile implements OpenFile {
  readonly #path: string;
  #descriptor: number | null;

  constructor(path: string, descriptor: number) {
    this.#path = path;
    this.#descriptor = descriptor;
  }

  size(): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.fstat(this.#open(), (error, stats) => {
        if (error === null) resolve(stats.size);
        else reject(fileError("size of", this.#path, error));
      });
    });
  }

  read(position: number, length: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const descriptor = this.#open();
      const bytes = freshBytes(length);
      const readOn = (done: number): void => {
        if (done === length) return resolve(bytes);
        const at = position + done;
        fs.read(descriptor, bytes, done, length - done, at, (error, count) => {
          if (error !== null) reject(fileError("read", this.#path, error));
          else if (count === 0) resolve(bytes.subarray(0, done));
          else readOn(done + count);
        });
      };
      readOn(0);
    });
  }

  write(position: number, bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const descriptor = this.#open();
      const writeOn = (done: number): void => {
        const at = position + done;
        fs.write(descriptor, bytes, done, bytes.length - done, at, (error, count) => {
          if (error !== null) return reject(fileError("write", this.#path, error));
          if (count === 0 && done < bytes.length) {
            return reject(fileError("write", this.#path, new Error("nothing was taken")));
          }
          // Taken in part: the rest is either taken next, or fails with the reason.
          if (done + count < bytes.length) writeOn(done + count);
          else resolve();
        });
      };
      writeOn(0);
    });
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fsync(this.#open(), (error) => {
        if (error === null) resolve();
        else reject(fileError("sync", this.#path, error));
      });
    });
  }

  close(): Promise<void> {
    const descriptor = this.#descriptor;
    if (descriptor === null) return Promise.resolve();
    this.#descriptor = null;
    return new Promise((resolve, reject) => {
      fs.close(descriptor, (error) => {
        if (error === null) resolve();
        else reject(fileError("close", this.#path, error));
      });
    });
  }

  #open(): number {
    if (this.#descriptor === null) {
      throw fileError("use", this.#path, new Error("the file was closed"));
    }
    return this.#descriptor;
  }
}

/** False: there is nothing. Fails where something else is in the way. */
async function isDirectory(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  throw Object.assign(new Error(`${path} is no directory`), { code: "ENOTDIR" });
}

/** Also where somebody else makes it at the same time. */
async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (!(await isDirectory(path))) throw error;
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await fs.promises.open(path, fs.constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function guarded<T>(operation: string, path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw fileError(operation, path, error);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
