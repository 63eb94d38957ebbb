import type { DiskReserve } from "./disk-reserve.ts";
import type { DiskLimits } from "./limits.ts";
import type { Files } from "./ports.ts";

/**
 * What a disk has room for: for everything; for sessions, so that somebody can come and delete; or only for what clients do
 * that are there already and does not grow the tree.
 */
export const DISK_ROOMS = ["enough", "little", "none"] as const;
export type DiskRoom = (typeof DISK_ROOMS)[number];

/** Time between two looks at the disk. */
const INTERVAL_MS = 500;
/** How much above the watermark has to be free again: without it the node would flutter. */
const RECOVERY_FACTOR = 1.1;

/** Knows whether the data directory's file system has room left. */
export class DiskWatch {
  readonly #files: Files;
  readonly #directory: string;
  readonly #limits: DiskLimits;
  readonly #reserve: DiskReserve | null;
  #sinceMs = INTERVAL_MS;
  #asking = false;
  #room: DiskRoom = "enough";
  #freeBytes = Number.MAX_SAFE_INTEGER;

  /** `reserve`: told what is seen; null where none is kept. */
  constructor(
    files: Files,
    directory: string,
    limits: DiskLimits,
    reserve: DiskReserve | null = null,
  ) {
    this.#files = files;
    this.#directory = directory;
    this.#limits = limits;
    this.#reserve = reserve;
  }

  get room(): DiskRoom {
    return this.#room;
  }

  get isFull(): boolean {
    return this.#room !== "enough";
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
        this.#room = this.#roomWith(freeBytes);
        this.#reserve?.update(freeBytes);
      },
      () => {
        // Not knowing is no reason to refuse work: a disk that is really full or gone fails the next write.
        this.#asking = false;
      },
    );
  }

  #roomWith(freeBytes: number): DiskRoom {
    const { freeBytesMin, reserveBytes } = this.#limits;
    const isBelow = (watermark: number, wasBelow: boolean): boolean =>
      freeBytes < watermark * (wasBelow ? RECOVERY_FACTOR : 1);
    if (!isBelow(freeBytesMin, this.isFull)) return "enough";
    const floor = (freeBytesMin + reserveBytes) / 2;
    return isBelow(floor, this.#room === "none") ? "none" : "little";
  }
}
