import { isStorageFull } from "../errors.ts";
import { reached } from "../points.ts";
import type { MonotonicClock, Timer } from "../ports.ts";

/** Pause after which it is tried again, ms. */
const PAUSE_MS = 250;

/**
 * Lets what needs room wait for it on a full disk, while the node runs: it attempts again and again instead of failing with
 * STORAGE_FULL. Before {@link begin} and after {@link end} nothing waits.
 */
export class RoomWait {
  readonly #clock: MonotonicClock;
  #isWaiting = false;
  #isOpen = false;
  #pause: { readonly timer: Timer; readonly end: () => void } | null = null;

  constructor(clock: MonotonicClock) {
    this.#clock = clock;
  }

  /** Something waits for room now. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  begin(): void {
    this.#isOpen = true;
  }

  /** What waits fails with STORAGE_FULL. */
  end(): void {
    this.#isOpen = false;
    this.#pause?.timer.cancel();
    this.#pause?.end();
  }

  /** `attempt` must leave nothing behind where there is no room. Fails as it does with anything but STORAGE_FULL. */
  async run<T>(attempt: () => Promise<T>): Promise<T> {
    try {
      for (;;) {
        try {
          return await attempt();
        } catch (error) {
          if (!this.#isOpen || !isStorageFull(error)) throw error;
          this.#isWaiting = true;
          reached("log_waits_for_room");
        }
        await this.#rest();
      }
    } finally {
      this.#isWaiting = false;
    }
  }

  #rest(): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.#pause = null;
        resolve();
      };
      this.#pause = { timer: this.#clock.after(PAUSE_MS, end), end };
    });
  }
}
