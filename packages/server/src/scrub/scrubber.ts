import { asError, isDamage, type ServerError } from "../errors.ts";
import type { Logger } from "../observe/logger.ts";
import type { Counters } from "../observe/metrics.ts";
import { reached } from "../points.ts";
import type { MonotonicClock, Random, Timer } from "../ports.ts";
import { Throttle, type Consume } from "./throttle.ts";

/** Whoever asks for a look sooner than this after one that was asked for gets none, ms. */
const ASKED_AGAIN_MS = 600_000;
/** Slow enough that nobody notices: a disk and a core have a hundred times that. */
const BYTES_PER_SECOND = 8_388_608;

export interface ScrubberOptions {
  readonly clock: MonotonicClock;
  readonly random: Random;
  /** Between the end of one look and the next; 0: never. */
  readonly intervalMs: number;
  /** Reads everything, waiting for `consume` again and again; rejects with what is wrong, and with what that rejects with. */
  scrub(consume: Consume): Promise<void>;
  /** What is stored is not what was written. */
  onDamage(error: ServerError): void;
  readonly metrics: { readonly counters: Pick<Counters, "scrubs" | "scrubbedBytes"> };
  readonly logger: Logger;
}

/**
 * Reads what a node has stored every now and then, so that a disk's silent damage is found while its peers still have what
 * it lost. What a start reads needs no second look, so the first comes after a while.
 */
export class Scrubber {
  readonly #options: ScrubberOptions;
  #timer: Timer | null = null;
  #throttle: Throttle | null = null;
  #scrubbing: Promise<void> = Promise.resolve();
  #isStopped = false;
  #isLooking = false;
  #askedMs: number | null = null;

  constructor(options: ScrubberOptions) {
    this.#options = options;
  }

  /** Looks after a while, also when it had stopped looking because of damage that is made good. */
  start(): void {
    const { clock, random, intervalMs } = this.#options;
    if (intervalMs === 0 || this.#isStopped) return;
    this.#timer?.cancel();
    // Nodes that were started together do not look all at once.
    const share = 0.5 + (random.bytes(1)[0] ?? 0) / 512;
    this.#timer = clock.after(intervalMs * share, () => {
      this.#scrubbing = this.#look();
    });
  }

  /** Looks at once, because something may be wrong; not again for a while, whatever that was. */
  lookNow(): void {
    const nowMs = this.#options.clock.nowMs();
    const isRecent = this.#askedMs !== null && nowMs - this.#askedMs < ASKED_AGAIN_MS;
    if (this.#options.intervalMs === 0 || this.#isStopped || this.#isLooking || isRecent) return;
    reached("scrub_asked_for");
    this.#askedMs = nowMs;
    this.#timer?.cancel();
    this.#scrubbing = this.#look();
  }

  /** Resolves when nothing is being read any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#throttle?.stop();
    await this.#scrubbing;
  }

  async #look(): Promise<void> {
    const { clock, logger } = this.#options;
    const { counters } = this.#options.metrics;
    const throttle = new Throttle(clock, BYTES_PER_SECOND);
    this.#throttle = throttle;
    this.#isLooking = true;
    try {
      await this.#options.scrub((bytes) => throttle.consume(bytes));
      counters.scrubs += 1;
    } catch (error) {
      if (this.#isStopped) return;
      if (isDamage(error)) {
        this.#options.onDamage(error);
        return;
      }
      logger.warn({ error: asError(error) }, "log and image could not be read to the end");
    } finally {
      this.#isLooking = false;
      counters.scrubbedBytes += throttle.totalBytes;
    }
    this.start();
  }
}
