import type { LogIndex } from "@quorate/raft";
import { ServerError } from "../errors.ts";
import { pollUntil } from "../poll-until.ts";
import type { ImageView, MonotonicClock } from "../ports.ts";
import type { WaitingRead } from "../reads.ts";
import { RunningBackup } from "./running-backup.ts";

export interface NodeBackupsPorts {
  readonly clock: MonotonicClock;
  /** Asks for a read index; `run` is called with it. */
  confirm(read: WaitingRead): void;
  appliedIndex(): LogIndex;
  /** A view of everything applied so far; rejects with OVERLOADED, STORAGE_FULL, STOPPED. */
  openView(): Promise<ImageView>;
}

/** Backups that are being read at once: each holds a view of the image open. */
const BACKUPS_MAX = 2;
/** How long one waits for the leader's word and for the state to get there. */
const CONFIRM_MS_MAX = 10_000;

/** Backups of a node that goes on meanwhile: a checkpoint, and a consistent view of the image read in pieces. */
export class NodeBackups {
  readonly #ports: NodeBackupsPorts;
  readonly #pieceBytes: number;
  readonly #running = new Set<RunningBackup>();
  /** Those that wait for their view are counted too. */
  #count = 0;
  #isStopped = false;

  constructor(ports: NodeBackupsPorts, pieceBytes: number) {
    this.#ports = ports;
    this.#pieceBytes = pieceBytes;
  }

  /** Backups that are being read, or wait for their view. */
  get count(): number {
    return this.#count;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([...this.#running].map((backup) => backup.giveUp()));
  }

  /**
   * A backup of everything that was acknowledged before the call; with `isLocal` of what this node has applied. Rejects with a
   * `ServerError`: NOT_READY (no quorum in 10 s, or the node is new and has nothing), OVERLOADED, STORAGE_FULL, STOPPED.
   */
  async begin(isLocal: boolean): Promise<AsyncIterable<Uint8Array>> {
    if (this.#count >= BACKUPS_MAX) {
      throw new ServerError("OVERLOADED", `${BACKUPS_MAX} backups are under way already`);
    }
    this.#count += 1;
    let view: ImageView | null = null;
    try {
      if (!isLocal) await this.#caughtUp();
      if (this.#ports.appliedIndex() === 0) {
        throw new ServerError(
          "NOT_READY",
          "this node has applied nothing yet; if the majority is lost for good, `quorate recover` takes what its log holds",
        );
      }
      view = await this.#ports.openView();
      if (this.#isStopped) throw new ServerError("STOPPED", "the node stops");
    } catch (error) {
      this.#count -= 1;
      await view?.close();
      throw error;
    }
    const backup = new RunningBackup(view, this.#pieceBytes, this.#ports.clock, () => {
      this.#count -= 1;
      this.#running.delete(backup);
    });
    this.#running.add(backup);
    return backup;
  }

  /** Until this node has applied what the leader, confirmed by a quorum, says is committed. */
  async #caughtUp(): Promise<void> {
    const { clock } = this.#ports;
    const read: WaitingRead = { index: null, run: null };
    this.#ports.confirm(read);
    const isThere = await pollUntil(
      clock,
      CONFIRM_MS_MAX,
      () => this.#isStopped || (read.index !== null && this.#ports.appliedIndex() >= read.index),
    );
    if (this.#isStopped) throw new ServerError("STOPPED", "the node stops");
    if (!isThere) throw new ServerError("NOT_READY", "no quorum confirmed this node's state");
  }
}
