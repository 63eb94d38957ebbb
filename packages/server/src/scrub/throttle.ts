import { ServerError } from "../errors.ts";
import type { MonotonicClock, Timer } from "../ports.ts";

/** Work in one go before a pause: enough to be worth a request to the disk, little beside what a turn may take. */
const PIECE_BYTES = 262_144;

/** Told of bytes that were read: resolves when more may be. */
export type Consume = (bytes: number) => Promise<void>;

/** Lets reading in the background go on at a bounded rate, so that nobody waits for it. */
export class Throttle {
  readonly #clock: MonotonicClock;
  readonly #bytesPerSecond: number;
  #bytes = 0;
  #totalBytes = 0;
  #pause: { readonly timer: Timer; readonly end: () => void } | null = null;
  #isStopped = false;

  constructor(clock: MonotonicClock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Everything that was read so far. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** So many bytes were read: resolves when it may go on. Rejects with STOPPED. */
  async consume(bytes: number): Promise<void> {
    this.#bytes += bytes;
    this.#totalBytes += bytes;
    if (this.#bytes >= PIECE_BYTES && !this.#isStopped) {
      const pauseMs = (this.#bytes / this.#bytesPerSecond) * 1_000;
      this.#bytes = 0;
      await new Promise<void>((resolve) => {
        this.#pause = { timer: this.#clock.after(pauseMs, resolve), end: resolve };
      });
      this.#pause = null;
    }
    if (this.#isStopped) throw new ServerError("STOPPED", "the node stops");
  }

  /** Ends the pause; whoever reads on is told. */
  stop(): void {
    this.#isStopped = true;
    this.#pause?.timer.cancel();
    this.#pause?.end();
  }
}
