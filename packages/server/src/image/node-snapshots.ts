import type { TreeLimits } from "@quorate/kv-store";
import type {
  InstallSnapshot,
  LogIndex,
  Membership,
  NodeId,
  RaftInput,
  RaftStatus,
  SnapshotMeta,
} from "@quorate/raft";
import type { Applier } from "../applier.ts";
import { isDamage, ServerError } from "../errors.ts";
import type { StorageLimits } from "../limits.ts";
import type { NewImage, NodeStorage } from "../node-storage.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { PeerEnvelope } from "../peer/envelope.ts";
import { reached } from "../points.ts";
import type { ImageStore, ImageView, MonotonicClock, Timer } from "../ports.ts";
import { Checkpointer } from "./checkpointer.ts";
import { SnapshotReceiver, type ReceivedSnapshot } from "./snapshot-receiver.ts";
import { SnapshotSender } from "./snapshot-sender.ts";
import { watchedView } from "./watched-view.ts";

export interface NodeSnapshotsOptions {
  readonly clock: MonotonicClock;
  readonly self: NodeId;
  readonly limits: TreeLimits;
  readonly storage: NodeStorage;
  readonly metrics: Metrics;
  readonly clusterId: string;
  readonly historyId: string;
  /** A number that no earlier process of this node has used. */
  readonly firstTransfer: number;
  readonly storageLimits: Omit<StorageLimits, "segmentBytes">;
  /** Revision at which the image stands at the start. */
  readonly checkpointIndex: number;
  applier(): Applier;
  status(): Pick<RaftStatus, "firstIndex" | "appliedIndex">;
  /** Of the disk. */
  freeBytes(): number;
  /** Of a node, this one's included: its disk is not as good as used up. */
  hasSpareRoom(id: NodeId): boolean;
  /** As of the last applied entry. */
  membership(): Membership;
  send(to: NodeId, envelope: PeerEnvelope): void;
  push(input: RaftInput): void;
  /** The image could not be written, or is not what was written. */
  failed(error: unknown): void;
  /** What the image gave a peer was refused: it is worth a look. */
  suspected(): void;
  fatal(error: unknown): void;
}

/**
 * Room that a checkpoint needs on the disk, as a multiple of what was applied: LevelDB's log and tables hold it twice for a
 * while, and its first failed write ends the node.
 */
const CHECKPOINT_ROOM = 3;
/** Room that a new image needs, as a multiple of what it holds. */
const RENEWAL_ROOM = 2;
/** Room that a checkpoint that is asked for, and a new image, need at least, bytes: LevelDB may write out its buffer of 32 MiB. */
const ROOM_BYTES_MIN = 67_108_864;
/** Where the disk is nearly full a checkpoint is made after this part of what is usual. */
const EARLY_CHECKPOINTS = 8;
/** One checkpoint may be under way, and a snapshot may be installed meanwhile. */
const UPDATE_ATTEMPTS = 4;
/** A received snapshot that the core has not taken by then is of no use to it. */
const INSTALL_TIMEOUT_MS = 1_000;

/** Everything about images of one node: checkpoints of its own, snapshots to and from its peers. */
export class NodeSnapshots {
  readonly #options: NodeSnapshotsOptions;
  readonly #checkpointer: Checkpointer;
  readonly #sender: SnapshotSender;
  readonly #receiver: SnapshotReceiver;
  #received: { readonly snapshot: ReceivedSnapshot; readonly settle: () => void } | null = null;
  #checkpointing: Promise<void> = Promise.resolve();
  #checkpointIndex: number;
  /** By this process. */
  #hasCheckpointed = false;
  /** Nothing is written to it any more. A snapshot may have taken its place. */
  #damaged: ImageStore | null = null;
  #stopping = false;

  constructor(options: NodeSnapshotsOptions) {
    this.#options = options;
    const { clock, clusterId, historyId } = options;
    this.#checkpointIndex = options.checkpointIndex;
    const turnRecordsMax = options.storageLimits.checkpointTurnRecords;
    this.#checkpointer = new Checkpointer({ clock, clusterId, historyId, turnRecordsMax });
    this.#sender = new SnapshotSender(options.firstTransfer, {
      clock,
      pieceBytes: options.storageLimits.snapshotPieceBytes,
      hasSpareRoom: (to) => options.hasSpareRoom(to),
      image: () => options.storage.image,
      send: (to, envelope) => options.send(to, envelope),
      done: (to, ok) => {
        if (ok) options.metrics.counters.snapshotsSent += 1;
        options.push({ kind: "snapshotSent", to, ok });
      },
      suspected: () => options.suspected(),
      unreadable: (error, image) => this.#onUnreadable(error, image),
    });
    this.#receiver = new SnapshotReceiver({
      clock,
      limits: options.limits,
      clusterId,
      historyId,
      freeBytes: () => options.freeBytes(),
      hasSpareRoom: () => options.hasSpareRoom(options.self),
      createImage: () => options.storage.createImage(),
      discardImage: (image, directory) => options.storage.discardImage(image, directory),
      ack: (to, transfer, sequence, ok) =>
        options.send(to, { kind: "snapshotAck", transfer, sequence, ok }),
      received: (snapshot) => this.#onReceived(snapshot),
      fatal: (error) => options.fatal(error),
    });
  }

  /** Revision at which the image on disk stands. */
  get checkpointIndex(): number {
    return this.#checkpointIndex;
  }

  /** The image in force is known to be damaged, and has not been replaced yet. */
  get isImageDamaged(): boolean {
    return this.#damaged !== null && this.#damaged === this.#options.storage.image;
  }

  /** Snapshots on their way to peers. */
  get transferCount(): number {
    return this.#sender.count;
  }

  /** The leader's core found a peer whose log ends before ours begins. */
  transfer(message: InstallSnapshot): void {
    this.#sender.start(message);
  }

  onEnvelope(
    from: NodeId,
    envelope: Extract<PeerEnvelope, { readonly kind: "snapshotChunk" | "snapshotAck" }>,
  ): void {
    if (envelope.kind === "snapshotChunk") this.#receiver.onChunk(from, envelope);
    else this.#sender.onAck(from, envelope.transfer, envelope.sequence, envelope.ok);
  }

  onPeerDown(peer: NodeId): void {
    this.#sender.onLinkDown(peer);
  }

  onTick(): void {
    this.#sender.onTick();
  }

  /** Entries were applied: brings the image up to date when it is worth it and the disk has room for it. */
  onApplied(): void {
    if (!this.#isCheckpointWorthIt()) return;
    const { bytesSinceCheckpoint } = this.#options.applier();
    if (this.#hasRoomFor(CHECKPOINT_ROOM * bytesSinceCheckpoint)) this.#checkpoint();
    else reached("checkpoint_put_off_disk_full");
  }

  #isCheckpointWorthIt(): boolean {
    const { bytesSinceCheckpoint: bytes, entriesSinceCheckpoint: entries } =
      this.#options.applier();
    const { checkpointBytes, checkpointEntries } = this.#options.storageLimits;
    const share = this.#hasCheckpointed
      ? 1
      : shareOf(this.#options.self, this.#options.membership());
    if (bytes > share * checkpointBytes || entries > share * checkpointEntries) return true;
    // The more it waits the more room it takes: where there is little, one is made while it fits.
    const isSmall = bytes <= checkpointBytes / EARLY_CHECKPOINTS;
    return !isSmall && !this.#hasRoomFor(2 * CHECKPOINT_ROOM * bytes);
  }

  /** The core puts the snapshot in force that was received. */
  install(meta: SnapshotMeta): void {
    const received = this.#received;
    if (received === null || received.snapshot.meta.index !== meta.index) {
      throw new ServerError("IMAGE_CORRUPT", `no snapshot at ${meta.index} was received`);
    }
    this.#received = null;
    reached("snapshot_installed");
    this.#options.storage.install(this.#checkpointing);
    this.#options.applier().install(received.snapshot.tree, meta.index, meta.term);
    this.#checkpointIndex = meta.index;
    this.#options.metrics.counters.snapshotsReceived += 1;
    received.settle();
  }

  /** A view of the image, as {@link bringUpToDate} leaves it and rejecting as that does; the caller closes it. */
  openView(): Promise<ImageView> {
    return this.#broughtUpToDate(() => this.#view());
  }

  /**
   * The image holds everything applied so far. Rejects with STOPPED, with STORAGE_FULL when a checkpoint is needed and the
   * disk has no room for that, and with OVERLOADED when the image is damaged and being renewed, or the state was replaced
   * faster than it could be written.
   */
  bringUpToDate(): Promise<void> {
    return this.#broughtUpToDate(() => undefined);
  }

  async #broughtUpToDate<T>(use: () => T): Promise<T> {
    const target = this.#options.applier().appliedIndex;
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt += 1) {
      if (this.#stopping) throw new ServerError("STOPPED", "the node stops");
      if (this.isImageDamaged) {
        throw new ServerError("OVERLOADED", "the image is damaged and written anew: try again");
      }
      if (this.#checkpointIndex >= target) return use();
      if (!this.#checkpointer.isRunning) this.#demandRoom();
      this.#checkpoint();
      await this.#checkpointing;
    }
    throw new ServerError("OVERLOADED", "the image could not be brought up to date: try again");
  }

  #view(): ImageView {
    const { image } = this.#options.storage;
    try {
      return watchedView(image.view(), (error) => this.#onUnreadable(error, image));
    } catch (error) {
      this.#onUnreadable(error, image);
      throw error;
    }
  }

  /** Of an image that was replaced meanwhile, or that is being renewed, it is no news. */
  #onUnreadable(error: unknown, image: ImageStore): void {
    if (!isDamage(error) || this.isImageDamaged) return;
    if (image === this.#options.storage.image) this.#options.failed(error);
    else reached("damage_of_an_image_of_the_past");
  }

  #hasRoomFor(bytes: number): boolean {
    return bytes <= this.#options.freeBytes();
  }

  #demandRoom(): void {
    const { bytesSinceCheckpoint } = this.#options.applier();
    const bytes = Math.max(ROOM_BYTES_MIN, CHECKPOINT_ROOM * bytesSinceCheckpoint);
    if (this.#hasRoomFor(bytes)) return;
    const text = `the disk has no room to bring the image up to date, ${bytes} bytes: free some, or ask another node`;
    throw new ServerError("STORAGE_FULL", text);
  }

  /** The image in force was found to be damaged: nothing is written to it any more. */
  markImageDamaged(): void {
    this.#damaged = this.#options.storage.image;
  }

  /**
   * Memory has all that the damaged image has: a new one is written beside it and put in force. Resolves when it is, or a
   * snapshot took the damaged one's place. Rejects with STORAGE_FULL, and may be tried again, when the disk has no
   * room for it, and with what writing it failed with. Where that may be in force all the same, it is fatal as well.
   */
  async renewImage(): Promise<void> {
    const { storage } = this.#options;
    const damaged = this.#damaged;
    await this.#checkpointing;
    if (this.#stopping || damaged === null || storage.image !== damaged) return;
    const bytes = Math.max(
      ROOM_BYTES_MIN,
      RENEWAL_ROOM * this.#options.applier().tree.approximateBytes,
    );
    if (!this.#hasRoomFor(bytes))
      throw new ServerError("STORAGE_FULL", `a new image needs ${bytes} bytes`);
    const renewing = this.#renew(damaged);
    this.#checkpointing = renewing.catch(() => undefined);
    await renewing;
  }

  async #renew(damaged: ImageStore): Promise<void> {
    const { storage } = this.#options;
    const made = await storage.createImage();
    if (this.#stopping || storage.image !== damaged) {
      reached("snapshot_replaced_the_damaged_image");
      return storage.discardImage(made.image, made.directory);
    }
    const snapshot = this.#nextSnapshot();
    try {
      await this.#checkpointer.renew(this.#options.applier().tree, made.image, snapshot);
      await storage.syncNames();
    } catch (error) {
      await storage.discardImage(made.image, made.directory);
      throw error;
    }
    if (!(await this.#replace(damaged, made))) {
      return storage.discardImage(made.image, made.directory);
    }
    this.#options.metrics.counters.imageRenewals += 1;
    await this.#onCheckpoint(snapshot, made.image);
  }

  async #replace(damaged: ImageStore, made: NewImage): Promise<boolean> {
    try {
      return await this.#options.storage.replaceImage(damaged, made);
    } catch (error) {
      this.#options.fatal(error);
      throw error;
    }
  }

  /** What an image stands for that is written now. */
  #nextSnapshot(): SnapshotMeta {
    const applier = this.#options.applier();
    applier.noteCheckpoint();
    const { appliedIndex: index, appliedTerm: term } = applier;
    return { index, term, membership: this.#options.membership() };
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#sender.stop();
    this.#received?.settle();
    await this.#receiver.stop();
    await this.#checkpointing;
  }

  /** Steps a complete snapshot in; resolves when it is in force, or when the core had no use for it. */
  async #onReceived(snapshot: ReceivedSnapshot): Promise<void> {
    const { storage } = this.#options;
    if (this.#stopping) {
      reached("snapshot_arrived_while_stopping");
      return storage.discardImage(snapshot.image, snapshot.directory);
    }
    storage.stage(snapshot);
    await this.#offer(snapshot);
    if (this.#received?.snapshot === snapshot) this.#received = null;
    await storage.unstage();
  }

  #offer(snapshot: ReceivedSnapshot): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      let timer: Timer | null = null;
      let isSettled = false;
      const settle = (): void => {
        isSettled = true;
        timer?.cancel();
        resolve();
      };
      // Once the core has taken it, only its disk decides how long the rest takes.
      const look = (): void => {
        if (isInstalling(this.#options.status(), snapshot.meta.index)) {
          reached("snapshot_waits_for_the_disk");
          arm();
        } else {
          reached("snapshot_of_no_use_to_the_core");
          settle();
        }
      };
      const arm = (): void => {
        if (!isSettled) timer = clock.after(INSTALL_TIMEOUT_MS, look);
      };
      this.#received = { snapshot, settle };
      this.#options.push({ kind: "message", message: snapshot.message });
      // Behind the core's turn: where the process stands still before it, timers may run first.
      clock.endOfTurn(arm);
    });
  }

  #checkpoint(): void {
    if (this.#checkpointer.isRunning || this.isImageDamaged || this.#stopping) return;
    const snapshot = this.#nextSnapshot();
    this.#hasCheckpointed = true;
    const { image } = this.#options.storage;
    const { tree } = this.#options.applier();
    this.#checkpointing = this.#checkpointer.run(tree, image, snapshot).then(
      () => this.#onCheckpoint(snapshot, image),
      (error: unknown) => {
        // An image that a snapshot replaced meanwhile is nobody's loss.
        if (image === this.#options.storage.image) this.#options.failed(error);
      },
    );
  }

  async #onCheckpoint(snapshot: SnapshotMeta, image: unknown): Promise<void> {
    const { storage, metrics } = this.#options;
    if (image !== storage.image || this.#stopping) {
      reached("checkpoint_outlived_its_image");
      return;
    }
    metrics.counters.checkpoints += 1;
    this.#checkpointIndex = snapshot.index;
    this.#options.push({ kind: "compact", snapshot });
    try {
      await storage.trim(snapshot.index, this.#sender.takePinnedIndex());
    } catch (error) {
      this.#options.fatal(error);
    }
  }
}

/**
 * The part of a full interval after which a member makes its first checkpoint. All apply the same entries: started together
 * they would all be busy with checkpoints at once, again and again, and nobody would be left to go on in full.
 */
function shareOf(self: NodeId, { members }: Membership): number {
  const before = members.filter(({ id }) => id < self).length;
  return members.length === 0 ? 1 : Math.min(1, (before + 1) / members.length);
}

/** The core has put its log behind the snapshot at `index`, and the state machine has yet to follow. */
function isInstalling(
  { firstIndex, appliedIndex }: Pick<RaftStatus, "firstIndex" | "appliedIndex">,
  index: LogIndex,
): boolean {
  return firstIndex === index + 1 && appliedIndex < index;
}
