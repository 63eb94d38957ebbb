import { ServerError } from "../errors.ts";
import type { ImageView, MonotonicClock, Timer } from "../ports.ts";
import { writeBackup } from "./backup-writer.ts";

/** Nothing was read for this long: whoever asked is gone, or as good as gone, and the view keeps files on the disk. */
const IDLE_MS_MAX = 60_000;
const LOOK_EVERY_MS = 5_000;

/** A backup that is being read. Its view is closed once, however it ends: read to the end, given up, or forgotten. */
export class RunningBackup implements AsyncIterableIterator<Uint8Array> {
  readonly #view: ImageView;
  readonly #bytes: AsyncGenerator<Uint8Array, void>;
  readonly #onEnd: () => void;
  readonly #timer: Timer;
  #readMs: number;
  #isReading = false;
  #isEnded = false;

  /** `onEnd` is called once. */
  constructor(view: ImageView, pieceBytes: number, clock: MonotonicClock, onEnd: () => void) {
    this.#view = view;
    this.#bytes = writeBackup(view, pieceBytes);
    this.#onEnd = onEnd;
    this.#readMs = clock.nowMs();
    this.#timer = clock.every(LOOK_EVERY_MS, () => {
      if (this.#isReading) this.#readMs = clock.nowMs();
      else if (clock.nowMs() - this.#readMs > IDLE_MS_MAX) void this.giveUp();
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, void>> {
    if (this.#isEnded) throw new ServerError("STOPPED", "the backup was given up");
    this.#isReading = true;
    try {
      const result = await this.#bytes.next();
      if (result.done === true) await this.return();
      return result;
    } catch (error) {
      await this.giveUp();
      throw error;
    } finally {
      this.#isReading = false;
    }
  }

  /** Never rejects: nobody reads on, and an image whose views cannot be closed fails where it is needed. */
  async giveUp(): Promise<void> {
    try {
      await this.return();
    } catch {
      // Its view may be of an image that was replaced and closed meanwhile.
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, void>> {
    if (!this.#isEnded) {
      this.#isEnded = true;
      this.#timer.cancel();
      this.#onEnd();
      await this.#view.close();
    }
    return { done: true, value: undefined };
  }
}
