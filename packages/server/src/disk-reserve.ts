import type { DiskLimits } from "./limits.ts";
import { reached } from "./points.ts";
import type { Files } from "./ports.ts";
import { RESERVE_FILE } from "./storage/data-directory.ts";

const PIECE_BYTES = 1_048_576;

/**
 * A file that only takes up space. When the disk is as good as full it is given up, so that the log can still take in the
 * deletes that make room, and a node can still start; it is made again once there is room.
 */
export class DiskReserve {
  readonly #files: Files;
  readonly #directory: string;
  readonly #limits: DiskLimits;
  #present = false;
  #working: Promise<void> | null = null;

  constructor(files: Files, directory: string, limits: DiskLimits) {
    this.#files = files;
    this.#directory = directory;
    this.#limits = limits;
  }

  get isPresent(): boolean {
    return this.#present;
  }

  /**
   * Looks at what is there, and gives it up if there is no room to start otherwise, or if it is of another size than it is made
   * of: the process ended while it was, or that was set otherwise then.
   */
  async open(): Promise<void> {
    const { freeBytes } = await this.#files.space(this.#directory);
    const names = await this.#files.list(this.#directory);
    if (!names.includes(RESERVE_FILE)) return;
    this.#present = freeBytes >= this.#limits.reserveBytes && (await this.#isWhole());
    if (!this.#present) await this.#release();
  }

  /** Told how much is free, now and then. */
  update(freeBytes: number): void {
    if (this.#working !== null) return;
    const { freeBytesMin, reserveBytes } = this.#limits;
    let work: Promise<void> | null = null;
    if (this.#present && freeBytes < reserveBytes) work = this.#release();
    else if (!this.#present && freeBytes > freeBytesMin + 2 * reserveBytes) work = this.#make();
    if (work === null) return;
    this.#working = work.then(
      () => {
        this.#working = null;
      },
      () => {
        // A reserve that cannot be made or given up is no reason to stop: it is tried again later.
        this.#working = null;
      },
    );
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    await this.#working;
  }

  async #release(): Promise<void> {
    reached("disk_reserve_given_up");
    this.#present = false;
    await this.#files.remove(this.#path);
  }

  async #make(): Promise<void> {
    await this.#files.remove(this.#path);
    try {
      await this.#fill();
    } catch (error) {
      // Half a reserve is none: nobody would give it up when the disk is full.
      await this.#files.remove(this.#path);
      throw error;
    }
    this.#present = true;
  }

  async #fill(): Promise<void> {
    const file = await this.#files.open(this.#path, { create: true, durable: false });
    const piece = new Uint8Array(this.#pieceBytes).fill(0xff);
    try {
      for (let at = 0; at < this.#limits.reserveBytes; at += piece.length) {
        await file.write(at, piece);
      }
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async #isWhole(): Promise<boolean> {
    const file = await this.#files.open(this.#path, { create: false, durable: false });
    try {
      const pieces = Math.ceil(this.#limits.reserveBytes / Math.max(1, this.#pieceBytes));
      return (await file.size()) === pieces * this.#pieceBytes;
    } finally {
      await file.close();
    }
  }

  get #pieceBytes(): number {
    return Math.min(PIECE_BYTES, this.#limits.reserveBytes);
  }

  get #path(): string {
    return `${this.#directory}/${RESERVE_FILE}`;
  }
}
