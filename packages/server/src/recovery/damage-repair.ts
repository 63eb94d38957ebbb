import { ServerError, isDamage } from "../errors.ts";
import type { Logger } from "../observe/logger.ts";
import { reached } from "../points.ts";
import type { MonotonicClock, Timer } from "../ports.ts";

/** A new image that is damaged sooner than this, ms, is the work of a disk that can be trusted with nothing. */
const RENEWAL_LASTS_MS = 600_000;
/** Until an image may be written after all, or the others may be a majority, ms. */
const WAIT_MS = 10_000;

export interface DamageRepairPorts {
  readonly clock: MonotonicClock;
  readonly logger: Logger;
  /** These four: see `NodeSnapshots`. */
  markImageDamaged(): void;
  isImageDamaged(): boolean;
  renewImage(): Promise<void>;
  bringUpToDate(): Promise<void>;
  onRenewed(): void;
  /** The others are a majority without this node, or nobody waits for its vote. One question at a time. */
  mayLeave(): Promise<boolean>;
  /** The node cannot make it good by itself. */
  giveUp(error: ServerError): void;
  /** A broken invariant. */
  fatal(error: unknown): void;
}

/**
 * What becomes of damage that is found while a node serves. All of the state is in memory, so a damaged image is written anew,
 * and log, vote and identity stay as they are. Any other damage costs the node its identity, and so its vote: as long as the
 * others could decide nothing without that, it goes on with what it has. What its log cannot give a peer any more an image
 * does that ends behind it, so while it stays it keeps one: without that the two might never be a majority either.
 */
export class DamageRepair {
  readonly #ports: DamageRepairPorts;
  /** Of the image in force, not made good yet. */
  #image: ServerError | null = null;
  /** A new image is being written, or waits for the next attempt. */
  #isRenewing = false;
  /** When the last new image was written, or proved to be no better. */
  #renewedMs: number | null = null;
  #attempt: Timer | null = null;
  /** The first damage of anything else. */
  #lost: ServerError | null = null;
  /** The image may end before what was lost. */
  #isUpdateDue = false;
  #isUpdating = false;
  /** Whether it may leave. */
  #isAsking = false;
  #wait: Timer | null = null;
  #isStopped = false;

  constructor(ports: DamageRepairPorts) {
    this.#ports = ports;
  }

  onDamage(error: ServerError): void {
    if (this.#isStopped) return;
    if (error.code === "IMAGE_CORRUPT") this.#onImageDamage(error);
    else this.#onLoss(error);
  }

  stop(): void {
    this.#isStopped = true;
    this.#wait?.cancel();
    this.#attempt?.cancel();
  }

  #onImageDamage(error: ServerError): void {
    // An image that is being renewed says so again and again.
    if (this.#image !== null) return;
    this.#image = error;
    this.#ports.markImageDamaged();
    if (this.#isRenewalRecent) this.#look();
    else this.#beginRenewal(error);
  }

  #onLoss(error: ServerError): void {
    // It may be another part this time.
    this.#isUpdateDue = true;
    if (this.#lost === null) {
      this.#lost = error;
      this.#look();
    } else {
      void this.#update();
    }
  }

  get #isRenewalRecent(): boolean {
    const { clock } = this.#ports;
    return this.#renewedMs !== null && clock.nowMs() - this.#renewedMs < RENEWAL_LASTS_MS;
  }

  #beginRenewal(error: ServerError): void {
    this.#ports.logger.error(
      { error },
      "the image on disk is damaged: it is written anew from memory",
    );
    this.#isRenewing = true;
    void this.#renew();
  }

  async #renew(): Promise<void> {
    const { clock, logger } = this.#ports;
    try {
      await this.#ports.renewImage();
    } catch (failure) {
      this.#onFailure(failure);
      return;
    }
    if (this.#isStopped) return;
    reached("damaged_image_renewed");
    this.#renewedMs = clock.nowMs();
    logger.info({}, "the image is whole again");
    this.#endImageDamage();
  }

  /** What keeps a new image from being written may pass, and memory has all of it: only another damage is the last word. */
  #onFailure(failure: unknown): void {
    const { clock, logger } = this.#ports;
    if (this.#isStopped) return;
    if (!(failure instanceof ServerError)) {
      this.#ports.fatal(failure);
      return;
    }
    logger.error({ error: failure }, "the image could not be written anew");
    if (!isDamage(failure)) {
      reached("image_renewal_attempted_again");
      this.#attempt = clock.after(WAIT_MS, () => void this.#renew());
      return;
    }
    this.#isRenewing = false;
    this.#renewedMs = clock.nowMs();
    if (failure.code === "IMAGE_CORRUPT") this.#image = failure;
    else this.#lost ??= failure;
    this.#look();
  }

  #endImageDamage(): void {
    this.#image = null;
    this.#isRenewing = false;
    this.#ports.onRenewed();
    void this.#update();
  }

  /** The node leaves if it may; else it makes good what it can, and looks again. */
  #look(): void {
    this.#wait?.cancel();
    if (this.#isStopped || this.#isAsking) return;
    if (this.#image !== null && !this.#isRenewing && !this.#ports.isImageDamaged()) {
      reached("damaged_image_was_replaced");
      this.#endImageDamage();
    }
    if (this.#irreparable === null) return;
    void this.#ask();
  }

  get #irreparable(): ServerError | null {
    return this.#lost ?? (this.#isRenewing ? null : this.#image);
  }

  async #ask(): Promise<void> {
    const { clock, logger } = this.#ports;
    this.#isAsking = true;
    const mayLeave = await this.#ports.mayLeave();
    this.#isAsking = false;
    const error = this.#irreparable;
    if (this.#isStopped || error === null) return;
    if (mayLeave) {
      this.stop();
      this.#ports.giveUp(error);
      return;
    }
    reached("damaged_node_is_needed");
    logger.error(
      { error },
      "the node's data are damaged, and the leader does not let it leave yet: it goes on with what it has in memory",
    );
    this.#wait = clock.after(WAIT_MS, () => this.#look());
    if (this.#image === null) void this.#update();
    else if (!this.#isRenewing && !this.#isRenewalRecent) this.#beginRenewal(this.#image);
  }

  /** While it fails each look tries again; a damaged image is written anew first. */
  async #update(): Promise<void> {
    if (this.#isUpdating || !this.#isUpdateDue || this.#image !== null) return;
    this.#isUpdating = true;
    this.#isUpdateDue = false;
    try {
      await this.#ports.bringUpToDate();
    } catch (failure) {
      this.#isUpdateDue = true;
      this.#isUpdating = false;
      this.#onUpdateFailure(failure);
      return;
    }
    this.#isUpdating = false;
    // What was told meanwhile may lie behind the end of it.
    if (!this.#isStopped) void this.#update();
  }

  #onUpdateFailure(failure: unknown): void {
    if (this.#isStopped) return;
    if (!(failure instanceof ServerError)) {
      this.#ports.fatal(failure);
      return;
    }
    this.#ports.logger.error({ error: failure }, "the image could not be brought up to date");
  }
}
