import { asError, isDamage, isStorageFull, type ServerError } from "../errors.ts";
import type { Logger } from "../observe/logger.ts";
import { reached } from "../points.ts";
import type { MonotonicClock, Timer } from "../ports.ts";

/** A new image that is damaged sooner than this, ms, is the work of a disk that can be trusted with nothing. */
const RENEWAL_LASTS_MS = 600_000;
/** Until the disk may have room for a new image, ms. */
const ROOM_WAIT_MS = 10_000;

export interface ImageRepairPorts {
  readonly clock: MonotonicClock;
  readonly logger: Logger;
  /** See `NodeSnapshots.renewImage`. */
  renewImage(): Promise<void>;
  onRenewed(): void;
  /** The node cannot make it good by itself. */
  giveUp(error: ServerError): void;
}

/**
 * What becomes of damage that is found while a node serves. All of the state is in memory, so a damaged image is written anew,
 * and log, vote and identity stay as they are; any other damage is not made good here.
 */
export class ImageRepair {
  readonly #ports: ImageRepairPorts;
  #isRenewing = false;
  #renewedMs: number | null = null;
  #wait: Timer | null = null;
  #isStopped = false;

  constructor(ports: ImageRepairPorts) {
    this.#ports = ports;
  }

  onDamage(error: ServerError): void {
    const { clock, logger } = this.#ports;
    if (this.#isStopped || this.#isRenewing) return;
    const isRecent = this.#renewedMs !== null && clock.nowMs() - this.#renewedMs < RENEWAL_LASTS_MS;
    if (error.code !== "IMAGE_CORRUPT" || isRecent) {
      this.#ports.giveUp(error);
      return;
    }
    this.#isRenewing = true;
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
      if (this.#isStopped) return;
      if (isStorageFull(failure)) {
        reached("image_renewal_waits_for_room");
        logger.warn(
          { error: asError(failure) },
          "no room for a new image yet: free some on the disk",
        );
        this.#wait = clock.after(ROOM_WAIT_MS, () => void this.#renew(error));
        return;
      }
      logger.error({ error: asError(failure) }, "the image could not be written anew");
      this.#ports.giveUp(isDamage(failure) ? failure : error);
      return;
    }
    this.#isRenewing = false;
    if (this.#isStopped) return;
    reached("damaged_image_renewed");
    this.#renewedMs = clock.nowMs();
    logger.info({}, "the image is whole again");
    this.#ports.onRenewed();
  }
}
