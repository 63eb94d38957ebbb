import { isStorageFull } from "../errors.ts";
import { reached } from "../points.ts";
import type { MonotonicClock, Timer } from "../ports.ts";
import { isOutOfDescriptors } from "./file-error.ts";

/** Pause after which it is tried again, ms. */
const PAUSE_MS = 250;

/** Where there is none: on the disk (STORAGE_FULL), or among the files that may be open (STORAGE_FAILED with EMFILE or ENFILE). */
export type RoomPlace = "disk" | "openFiles";

const PLACES = {
  disk: { isFull: isStorageFull, tell: () => reached("log_waits_for_room") },
  openFiles: { isFull: isOutOfDescriptors, tell: () => reached("file_waits_to_be_opened") },
} as const;

/**
 * Lets what needs room wait for it while the node runs: it attempts again and again instead of failing. Before {@link begin}
 * and after {@link end} nothing waits.
 */
export class RoomWait {
  readonly #clock: MonotonicClock;
  readonly #place: RoomPlace;
  readonly #pauses = new Set<{ readonly timer: Timer; readonly end: () => void }>();
  #waiting = 0;
  #isOpen = false;

  constructor(clock: MonotonicClock, place: RoomPlace = "disk") {
    this.#clock = clock;
    this.#place = place;
  }

  /** Something waits for room now. */
  get isWaiting(): boolean {
    return this.#waiting > 0;
  }

  begin(): void {
    this.#isOpen = true;
  }

  /** What waits fails for want of room. */
  end(): void {
    this.#isOpen = false;
    for (const { timer, end } of this.#pauses) {
      timer.cancel();
      end();
    }
  }

  /** `attempt` must leave nothing behind where there is no room. Fails as it does for any other reason. */
  async run<T>(attempt: () => Promise<T>): Promise<T> {
    const { isFull, tell } = PLACES[this.#place];
    let isWaiting = false;
    try {
      for (;;) {
        try {
          return await attempt();
        } catch (error) {
          if (!this.#isOpen || !isFull(error)) throw error;
          if (!isWaiting) this.#waiting += 1;
          isWaiting = true;
          tell();
        }
        await this.#rest();
      }
    } finally {
      if (isWaiting) this.#waiting -= 1;
    }
  }

  #rest(): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.#pauses.delete(pause);
        resolve();
      };
      const pause = { timer: this.#clock.after(PAUSE_MS, end), end };
      this.#pauses.add(pause);
    });
  }
}
