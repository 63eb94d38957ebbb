import { ServerError, isDamage } from "../errors.ts";
import type { Logger } from "../observe/logger.ts";
import { reached } from "../points.ts";
import type { MonotonicClock, Timer } from "../ports.ts";

/** A new image that is damaged sooner than this, ms, is the work of a disk that can be trusted with nothing. */
const RENEWAL_LASTS_MS = 600_000;
/** Until a new image may be written after all, or the others may be a majority, ms. */
const WAIT_MS = 10_000;

export interface DamageRepairPorts {
  readonly clock: MonotonicClock;
  readonly logger: Logger;
  /** These three: see `NodeSnapshots`. */
  markImageDamaged(): void;
  isImageDamaged(): boolean;
  renewImage(): Promise<void>;
  onRenewed(): void;
  /** The others are a majority without this node, or nobody waits for its vote. */
  mayLeave(): boolean;
  /** The node cannot make it good by itself. */
  giveUp(error: ServerError): void;
  /** A broken invariant. */
  fatal(error: unknown): void;
}

/**
 * What becomes of damage that is found while a node serves. All of the state is in memory, so a damaged image is written anew,
 * and log, vote and identity stay as they are. Any other damage costs the node its identity, and so its vote: as long as the
 * others could decide nothing without that, it goes on with what it has.
 */
export class DamageRepair {
  readonly #ports: DamageRepairPorts;
  #isBusy = false;
  /** Told while another was dealt with. */
  #next: ServerError | null = null;
  #renewedMs: number | null = null;
  #wait: Timer | null = null;
  #isStopped = false;

  constructor(ports: DamageRepairPorts) {
    this.#ports = ports;
  }

  onDamage(error: ServerError): void {
    const { clock, logger } = this.#ports;
    if (this.#isStopped) return;
    if (this.#isBusy) {
      // An image that is being renewed says so again and again; of anything else this is the first word.
      if (error.code !== "IMAGE_CORRUPT") this.#next ??= error;
      return;
    }
    this.#isBusy = true;
    if (error.code === "IMAGE_CORRUPT") this.#ports.markImageDamaged();
    const isRecent = this.#renewedMs !== null && clock.nowMs() - this.#renewedMs < RENEWAL_LASTS_MS;
    if (error.code !== "IMAGE_CORRUPT" || isRecent) {
      this.#leave(error);
      return;
    }
    logger.error({ error }, "the image on disk is damaged: it is written anew from memory");
    void this.#renew(error);
  }

  stop(): void {
    this.#isStopped = true;
    this.#wait?.cancel();
  }

  async #renew(error: ServerError): Promise<void> {
    const { clock, logger } = this.#ports;
    try {
      await this.#ports.renewImage();
    } catch (failure) {
      this.#onFailure(error, failure);
      return;
    }
    if (this.#isStopped) return;
    reached("damaged_image_renewed");
    this.#renewedMs = clock.nowMs();
    logger.info({}, "the image is whole again");
    this.#end();
  }

  /** What keeps a new image from being written may pass, and memory has all of it: only another damage is the last word. */
  #onFailure(error: ServerError, failure: unknown): void {
    const { clock, logger } = this.#ports;
    if (this.#isStopped) return;
    if (!(failure instanceof ServerError)) {
      this.#ports.fatal(failure);
      return;
    }
    logger.error({ error: failure }, "the image could not be written anew");
    if (isDamage(failure)) {
      this.#leave(failure);
      return;
    }
    reached("image_renewal_attempted_again");
    this.#wait = clock.after(WAIT_MS, () => void this.#renew(error));
  }

  /** The damage that was told is made good; what was told meanwhile is not. */
  #end(): void {
    this.#isBusy = false;
    this.#ports.onRenewed();
    const next = this.#next;
    this.#next = null;
    if (next !== null) this.onDamage(next);
  }

  #leave(error: ServerError): void {
    const { clock, logger } = this.#ports;
    if (error.code === "IMAGE_CORRUPT" && !this.#ports.isImageDamaged()) {
      reached("damaged_image_was_replaced");
      this.#end();
      return;
    }
    if (this.#ports.mayLeave()) {
      this.#ports.giveUp(error);
      return;
    }
    reached("damaged_node_is_needed");
    logger.error(
      { error },
      "what is stored is damaged, and the others are no majority: the node goes on with what it has in memory until they are",
    );
    this.#wait = clock.after(WAIT_MS, () => this.#leave(error));
  }
}
