import type { DiskReserve } from "./disk-reserve.ts";
import type { Files } from "./ports.ts";

export interface DiskWatchLimits {
  /** Free bytes below which growing writes are refused; reads and deletes go on. */
  readonly freeBytesMin: number;
}

/** Time between two looks at the disk. */
const INTERVAL_MS = 500;
/** How much above the watermark has to be free again: without it the node would flutter. */
const RECOVERY_FACTOR = 1.1;

/** Knows whether the data directory's file system has room left. */
export class DiskWatch {
  readonly #files: Files;
  readonly #directory: string;
  readonly #limits: DiskWatchLimits;
  readonly #reserve: DiskReserve | null;
  #sinceMs = INTERVAL_MS;
  #asking = false;
  #full = false;
  #freeBytes = Number.MAX_SAFE_INTEGER;

  /** `reserve`: told what is seen; null where none is kept. */
  constructor(
    files: Files,
    directory: string,
    limits: DiskWatchLimits,
    reserve: DiskReserve | null = null,
  ) {
    this.#files = files;
    this.#directory = directory;
    this.#limits = limits;
    this.#reserve = reserve;
  }

  get isFull(): boolean {
    return this.#full;
  }

  /** As last seen. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  onTick(elapsedMs: number): void {
    this.#sinceMs += elapsedMs;
    if (this.#sinceMs < INTERVAL_MS || this.#asking) return;
    this.#sinceMs = 0;
    this.#asking = true;
    this.#files.space(this.#directory).then(
      ({ freeBytes }) => {
        this.#asking = false;
        this.#freeBytes = freeBytes;
        const watermark = this.#limits.freeBytesMin * (this.#full ? RECOVERY_FACTOR : 1);
        this.#full = freeBytes < watermark;
        this.#reserve?.update(freeBytes);
      },
      () => {
        // Not knowing is no reason to refuse work: a disk that is really full or gone fails the next write.
        this.#asking = false;
      },
    );
  }
}
