import { reached } from "../points.ts";
import type { OpenFile } from "../ports.ts";
import { isNotGivenBack } from "./damaging-reads.ts";

const WINDOW_BYTES = 1_048_576;

/**
 * Reads a file through a window; what it hands out stays valid. A sector that the medium does not give back takes away what is
 * asked for of it, and nothing else: the window is made smaller until it ends before that.
 */
export class FileWindow {
  readonly #file: OpenFile;
  #windowBytes: number;
  #start = 0;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(file: OpenFile, windowBytes: number = WINDOW_BYTES) {
    this.#file = file;
    this.#windowBytes = windowBytes;
  }

  /** Fewer bytes only at the end of the file. */
  async at(position: number, length: number): Promise<Uint8Array> {
    const offset = position - this.#start;
    if (offset < 0 || offset + length > this.#bytes.length) {
      // Never into the same buffer: what was handed out is a view of it.
      this.#bytes = await this.#read(position, length);
      this.#start = position;
      return this.#bytes.subarray(0, length);
    }
    return this.#bytes.subarray(offset, offset + length);
  }

  /** At least `length` bytes, and as many as the window has where all of them can be read. */
  async #read(position: number, length: number): Promise<Uint8Array> {
    while (this.#windowBytes > length) {
      try {
        return await this.#file.read(position, this.#windowBytes);
      } catch (error) {
        if (!isNotGivenBack(error)) throw error;
        reached("window_narrowed_before_a_bad_sector");
        // It stays as narrow: each read that fails may take a disk seconds.
        this.#windowBytes = Math.floor(this.#windowBytes / 2);
      }
    }
    return this.#file.read(position, length);
  }
}
