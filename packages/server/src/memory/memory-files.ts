import type { ServerError } from "../errors.ts";
import type { Files, OpenFile } from "../ports.ts";
import { fileError } from "../storage/file-error.ts";
import { MemoryDirectory, bytesIn, type MemoryNode } from "./memory-directory.ts";
import { MemoryFile } from "./memory-file.ts";
import { SeededRandom } from "./seeded-random.ts";
import { systemError } from "./system-error.ts";

/** What can be made to fail or to wait. */
export type FileOperation =
  | "makeDirectory"
  | "list"
  | "readWhole"
  | "open"
  | "rename"
  | "remove"
  | "syncDirectory"
  | "space"
  | "size"
  | "read"
  | "write"
  | "sync"
  | "close";

/** `before`: nothing has happened yet. `during`: it has been done, is not durable, and nobody has been told. */
export interface FileStep {
  readonly operation: FileOperation;
  readonly path: string;
  readonly phase: "before" | "during";
}

export interface MemoryFilesOptions {
  /** Decides what a crash keeps. Default 1. */
  readonly seed?: number;
  /** Size of the disk. Default: no bound. */
  readonly bytesMax?: number;
  /** Called at every step; what it returns is waited for. It may crash the disk. */
  readonly onStep?: (step: FileStep) => Promise<void> | null;
}

/** An operation that waits for the test. */
export interface HeldOperation {
  /** Resolves once the operation has begun to wait. */
  readonly reached: Promise<void>;
  release(): void;
}

const NEVER = new Promise<never>(() => {});

interface Disk {
  readonly root: MemoryDirectory;
  readonly random: SeededRandom;
  sectorsLost: number;
  bytesMax: number;
  onStep: ((step: FileStep) => Promise<void> | null) | null;
}

/**
 * A file system in memory with a durable and a volatile layer: what was not synced may be lost at a crash, sector by
 * sector, and names not synced with their directory as well. Everything follows from the seed and the order of calls.
 */
export class MemoryFiles implements Files {
  #disk: Disk;
  #isDead = false;
  readonly #failures = new Map<FileOperation, ServerError>();
  readonly #holds = new Map<FileOperation, () => Promise<void>>();

  constructor(options: MemoryFilesOptions = {}) {
    this.#disk = {
      root: new MemoryDirectory(),
      random: new SeededRandom(options.seed ?? 1),
      sectorsLost: 0,
      bytesMax: options.bytesMax ?? Number.MAX_SAFE_INTEGER,
      onStep: options.onStep ?? null,
    };
  }

  /**
   * The machine loses power. Nothing that was asked of these files is ever answered, also not what is asked afterwards; the
   * result is the same disk after the restart.
   */
  crash(): MemoryFiles {
    this.#disk.sectorsLost += this.#disk.root.crash(this.#disk.random);
    return this.restart();
  }

  /**
   * The process ends, and the machine goes on: what it wrote is shown to the next one as it was, durable or not. Nothing that
   * was asked of these files is answered any more; the result is what the next process has.
   */
  restart(): MemoryFiles {
    this.#isDead = true;
    const restarted = new MemoryFiles();
    restarted.#disk = this.#disk;
    return restarted;
  }

  /** The same disk for whoever looks at it from outside of the machine: none of that is a step, waits or fails. */
  aside(): MemoryFiles {
    const aside = new MemoryFiles();
    aside.#disk = { ...this.#disk, onStep: null };
    return aside;
  }

  /** The disk as it is now, once more: from here on each of the two goes its own way. `seed` decides what a crash keeps of it. */
  copy(seed: number): MemoryFiles {
    const { root, sectorsLost, bytesMax } = this.#disk;
    const copy = new MemoryFiles({ seed, bytesMax });
    copy.#disk = { ...copy.#disk, root: root.copy(), sectorsLost };
    return copy;
  }

  /** Sectors that were written and that a crash took back. */
  get sectorsLost(): number {
    return this.#disk.sectorsLost;
  }

  /** The next such operation fails; a write may have happened in part. */
  failNext(operation: FileOperation, error: ServerError): void {
    this.#failures.set(operation, error);
  }

  /** The next such operation waits, done but not durable. */
  holdNext(operation: FileOperation): HeldOperation {
    let reach = (): void => {};
    let release = (): void => {};
    const reached = new Promise<void>((resolve) => {
      reach = resolve;
    });
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#holds.set(operation, () => {
      reach();
      return released;
    });
    return { reached, release: () => release() };
  }

  /** Makes the disk larger or smaller. */
  setBytesMax(bytesMax: number): void {
    this.#disk.bytesMax = bytesMax;
  }

  /** Replaces {@link MemoryFilesOptions.onStep}. */
  setOnStep(onStep: ((step: FileStep) => Promise<void> | null) | null): void {
    this.#disk.onStep = onStep;
  }

  /** Changes bytes on the medium, without anybody having written them. */
  overwrite(path: string, position: number, bytes: Uint8Array): void {
    this.#file(path).overwrite(position, bytes);
  }

  /** Flips one bit on the medium. */
  flipBit(path: string, position: number, bit = 0): void {
    const [byte = 0] = this.#file(path).read(position, 1);
    this.overwrite(path, position, Uint8Array.of(byte ^ (1 << bit)));
  }

  /** Reading the sector that `position` is in fails from now on, until it is written. */
  breakSector(path: string, position: number): void {
    this.#file(path).breakSector(position);
  }

  /** Cuts a file short on the medium, or lengthens it by zeros. */
  resize(path: string, bytes: number): void {
    this.#file(path).resize(bytes);
  }

  /** Bytes of a file as readers see them. */
  sizeOf(path: string): number {
    return this.#file(path).size;
  }

  /** What readers see there; less where the file ends before. */
  bytesOf(path: string, position: number, length: number): Uint8Array {
    return this.#file(path).read(position, length);
  }

  /** Names in a directory; none where there is none. */
  namesIn(path: string): readonly string[] {
    const node = this.#find(path);
    return node instanceof MemoryDirectory ? node.names() : [];
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#step("makeDirectory", path, () => {
      let directory = this.#disk.root;
      for (const name of namesOf(path)) {
        let next = directory.get(name);
        if (next instanceof MemoryFile)
          throw fileError("make directory", path, systemError("ENOTDIR"));
        if (next === undefined) {
          next = new MemoryDirectory();
          directory.change([{ name, node: next }]);
          directory.sync();
        }
        directory = next;
      }
    });
  }

  async list(path: string): Promise<readonly string[]> {
    return this.#step("list", path, () => {
      const node = this.#find(path);
      return node instanceof MemoryDirectory ? node.names() : [];
    });
  }

  async readWhole(path: string): Promise<Uint8Array | null> {
    return this.#step("readWhole", path, () => {
      const node = this.#find(path);
      return node instanceof MemoryFile ? readFrom(node, path, 0, node.size) : null;
    });
  }

  async open(
    path: string,
    options: { readonly create: boolean; readonly durable: boolean },
  ): Promise<OpenFile> {
    return this.#step("open", path, () => {
      const { directory, name } = this.#parent("open", path);
      const found = directory.get(name);
      if (options.create === (found !== undefined) || found instanceof MemoryDirectory) {
        throw fileError("open", path, new Error(options.create ? "it exists" : "no such file"));
      }
      const file = found ?? new MemoryFile();
      if (found === undefined) directory.change([{ name, node: file }]);
      return this.#handle(file, path, options.durable);
    });
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#step("rename", from, () => {
      const source = this.#parent("rename", from);
      const target = this.#parent("rename", to);
      const node = source.directory.get(source.name);
      if (node === undefined) throw fileError("rename", from, new Error("no such file"));
      const gone = { name: source.name, node: null };
      const come = { name: target.name, node };
      if (source.directory === target.directory) source.directory.change([gone, come]);
      else {
        target.directory.change([come]);
        source.directory.change([gone]);
      }
    });
  }

  async remove(path: string): Promise<void> {
    await this.#step("remove", path, () => {
      if (this.#find(path) === undefined) return;
      const { directory, name } = this.#parent("remove", path);
      directory.change([{ name, node: null }]);
    });
  }

  async syncDirectory(path: string): Promise<void> {
    await this.#step("syncDirectory", path, () => {
      if (!(this.#find(path) instanceof MemoryDirectory)) {
        throw fileError("sync directory", path, new Error("no such directory"));
      }
    });
    const directory = this.#find(path);
    if (directory instanceof MemoryDirectory) directory.sync();
  }

  async space(path: string): Promise<{ readonly freeBytes: number; readonly totalBytes: number }> {
    return this.#step("space", path, () => {
      const totalBytes = this.#disk.bytesMax;
      return { freeBytes: Math.max(0, totalBytes - bytesIn(this.#disk.root)), totalBytes };
    });
  }

  #handle(file: MemoryFile, path: string, durable: boolean): OpenFile {
    let isOpen = true;
    const step = <T>(operation: FileOperation, run: () => T, giveUp?: () => void): Promise<T> => {
      const runOpen = (): T => {
        if (!isOpen) throw fileError(operation, path, new Error("the file was closed"));
        return run();
      };
      return this.#step(operation, path, runOpen, giveUp);
    };
    return {
      size: () => step("size", () => file.size),
      read: (position, length) => step("read", () => readFrom(file, path, position, length)),
      write: async (position, bytes) => {
        const giveUp = (): void => file.giveUp(position, bytes.length);
        await step("write", () => this.#write(file, path, position, bytes), giveUp);
        if (durable) file.syncRange(position, bytes.length);
      },
      sync: async () => {
        const giveUp = (): void => file.giveUp(0, file.size);
        await step("sync", () => {}, giveUp);
        file.sync();
      },
      close: async () => {
        if (isOpen) await step("close", () => {});
        isOpen = false;
      },
    };
  }

  #write(file: MemoryFile, path: string, position: number, bytes: Uint8Array): void {
    const growth = Math.max(0, position + bytes.length - file.size);
    if (growth > 0 && bytesIn(this.#disk.root) + growth > this.#disk.bytesMax) {
      throw fileError("write", path, systemError("ENOSPC"));
    }
    file.write(position, bytes);
  }

  /** `giveUp`: what was to become durable does not. */
  async #step<T>(
    operation: FileOperation,
    path: string,
    run: () => T,
    giveUp: () => void = () => {},
  ): Promise<T> {
    await this.#at({ operation, path, phase: "before" });
    // Whoever asked is gone with the machine.
    if (this.#isDead) await NEVER;
    const failure = this.#failures.get(operation);
    if (failure !== undefined) {
      this.#failures.delete(operation);
      // Nobody knows what became of a write that failed: here it is in the cache, and a crash decides.
      if (operation === "write") run();
      giveUp();
      throw failure;
    }
    const result = run();
    const hold = this.#holds.get(operation);
    this.#holds.delete(operation);
    if (hold !== undefined) await hold();
    await this.#at({ operation, path, phase: "during" });
    if (this.#isDead) await NEVER;
    return result;
  }

  /** Null: nothing is waited for. */
  #at(step: FileStep): Promise<void> | null {
    return this.#isDead ? null : (this.#disk.onStep?.(step) ?? null);
  }

  #find(path: string): MemoryNode | undefined {
    let node: MemoryNode | undefined = this.#disk.root;
    for (const name of namesOf(path)) {
      if (!(node instanceof MemoryDirectory)) return undefined;
      node = node.get(name);
    }
    return node;
  }

  #parent(
    operation: string,
    path: string,
  ): { readonly directory: MemoryDirectory; readonly name: string } {
    const names = namesOf(path);
    const name = names.at(-1);
    const directory = this.#find(names.slice(0, -1).join("/"));
    if (name === undefined || !(directory instanceof MemoryDirectory)) {
      throw fileError(operation, path, new Error("no such directory"));
    }
    return { directory, name };
  }

  #file(path: string): MemoryFile {
    const node = this.#find(path);
    if (node instanceof MemoryFile) return node;
    throw fileError("change", path, new Error("no such file"));
  }
}

function readFrom(file: MemoryFile, path: string, position: number, length: number): Uint8Array {
  if (!file.isReadable(position, length)) throw fileError("read", path, systemError("EIO"));
  return file.read(position, length);
}

function namesOf(path: string): readonly string[] {
  return path.split("/").filter((name) => name !== "");
}
