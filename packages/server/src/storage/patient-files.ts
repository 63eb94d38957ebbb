import type { Files, OpenFile } from "../ports.ts";
import type { RoomWait } from "./room-wait.ts";

/**
 * Files of a node that runs: while its process, or the machine, has as many files open as it may, what has to open one waits.
 * The system looks for a descriptor before it does anything else, so nothing was done by what is attempted again.
 */
export class PatientFiles implements Files {
  readonly #files: Files;
  readonly #wait: RoomWait;

  constructor(files: Files, wait: RoomWait) {
    this.#files = files;
    this.#wait = wait;
  }

  makeDirectory(path: string): Promise<void> {
    return this.#wait.run(() => this.#files.makeDirectory(path));
  }

  list(path: string): Promise<readonly string[]> {
    return this.#wait.run(() => this.#files.list(path));
  }

  readWhole(path: string): Promise<Uint8Array | null> {
    return this.#wait.run(() => this.#files.readWhole(path));
  }

  open(
    path: string,
    options: { readonly create: boolean; readonly durable: boolean },
  ): Promise<OpenFile> {
    return this.#wait.run(() => this.#files.open(path, options));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#files.rename(from, to);
  }

  /** A directory is opened, to see what is in it. */
  remove(path: string): Promise<void> {
    return this.#wait.run(() => this.#files.remove(path));
  }

  syncDirectory(path: string): Promise<void> {
    return this.#wait.run(() => this.#files.syncDirectory(path));
  }

  space(path: string): ReturnType<Files["space"]> {
    return this.#files.space(path);
  }
}
