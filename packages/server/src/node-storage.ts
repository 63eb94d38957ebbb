import type { DataTree, TreeLimits } from "@quorate/kv-store";
import {
  nodeId,
  type CommitConflict,
  type Entry,
  type FetchWork,
  type HardState,
  type LogIndex,
  type NodeId,
  type PersistWork,
  type RaftInitialState,
  type SnapshotMeta,
} from "@quorate/raft";
import { assert } from "./assert.ts";
import { ServerError } from "./errors.ts";
import { loadImage } from "./image/image-loader.ts";
import type { ImageMeta } from "./image/image-meta.ts";
import { scrubImage } from "./image/image-scrub.ts";
import { openImage } from "./image/open-image.ts";
import type { ReceivedSnapshot } from "./image/snapshot-receiver.ts";
import type { FetchedEntries, LoopLog } from "./node-loop.ts";
import { SILENT_LOGGER, type Logger } from "./observe/logger.ts";
import { reached } from "./points.ts";
import type { ImageStore, ServerPorts } from "./ports.ts";
import type { Consume } from "./scrub/throttle.ts";
import { LOG_DIRECTORY, imageName, imageNumber } from "./storage/data-directory.ts";
import { entriesAfter, goesOnFrom } from "./storage/entries-after.ts";
import {
  createIdentity,
  isSameHardState,
  laterHardState,
  loadIdentity,
  newIdentity,
  type Identity,
  type IdentityFile,
} from "./storage/identity.ts";
import { damageText } from "./storage/log-damage.ts";
import { TAG_BYTES } from "./storage/log-format.ts";
import { conflictAt, lossOf, refuseDamage, refuseShortLog } from "./storage/log-refusals.ts";
import { PatientFiles } from "./storage/patient-files.ts";
import { RoomWait } from "./storage/room-wait.ts";
import { WriteAheadLog } from "./storage/write-ahead-log.ts";

/** What the log was found to hold. */
export type RecoveredLog = Awaited<ReturnType<typeof WriteAheadLog.open>>["recovered"];

/** Log kept behind the newest checkpoint: so many older ones could still be started from. */
const CHECKPOINTS_KEPT = 3;
/** A log beyond this is trimmed although a peer will need more of it: that one gets another snapshot. */
const PINNED_BYTES_MAX_DEFAULT = 1_073_741_824;

/**
 * The identity of a data directory that is there, new or found. None is made unless `mayBegin` resolves. Rejects with a
 * `ServerError`: IDENTITY_LOST, IDENTITY_DAMAGED, IDENTITY_MISMATCH, FORMAT_UNKNOWN, STORAGE_FAILED, STORAGE_FULL; and with what
 * `mayBegin` rejects with.
 */
export async function openIdentity(
  ports: ServerPorts,
  directory: string,
  name: string,
  mayBegin: () => Promise<void> = () => Promise.resolve(),
): Promise<IdentityFile> {
  const found = await loadIdentity(ports.files, directory);
  if (found !== null) {
    if (found.current.name === name) return found;
    throw new ServerError(
      "IDENTITY_MISMATCH",
      `${directory} belongs to node "${found.current.name}", not to "${name}": ` +
        "give each node a data directory of its own",
    );
  }
  await mayBegin();
  const id = drawNodeId(ports.random.bytes(6));
  const logTag = ports.random.bytes(TAG_BYTES);
  return createIdentity(ports.files, directory, newIdentity({ nodeId: id, name, logTag }));
}

/** 48 random bits: two nodes of one ensemble never draw the same. */
export function drawNodeId(bytes: Uint8Array): NodeId {
  let value = 0;
  for (const byte of bytes) value = value * 256 + byte;
  return nodeId(value === 0 ? 1 : value);
}

/** One that is not in force. */
export interface NewImage {
  readonly image: ImageStore;
  /** The name of its directory. */
  readonly directory: string;
}

/** What the node starts from. */
export interface OpenedStorage {
  readonly storage: NodeStorage;
  readonly tree: DataTree;
  readonly initial: RaftInitialState;
  readonly recovered: RecoveredLog;
}

/**
 * Log, image and identity of one node as a whole: what order they are written in, and that none of them is ever ahead of
 * what it stands on.
 */
export class NodeStorage implements LoopLog {
  readonly #ports: ServerPorts;
  readonly #directory: string;
  readonly #identity: IdentityFile;
  readonly #log: WriteAheadLog;
  readonly #pinnedBytesMax: number;
  readonly #logger: Logger;
  readonly #room: RoomWait;
  readonly #openFiles: RoomWait;
  /** What the state machine stands on. */
  #image: ImageStore;
  #imageName: string;
  /** The last that was made. */
  #newestImageName: string;
  /** Received, not what the state machine stands on yet. */
  #staged: ReceivedSnapshot | null = null;
  /** The identity names the staged image: the next start begins from it. */
  #isStagedInForce = false;
  /** It may be in force with the next start. */
  #undecided: ImageStore | null = null;
  #cleaning: Promise<void> = Promise.resolve();
  /** Of what was to be taken away: the first that could not be. */
  #cleaningFailure: unknown = null;
  #checkpoints: LogIndex[];

  private constructor(parts: {
    readonly ports: ServerPorts;
    readonly directory: string;
    readonly identity: IdentityFile;
    readonly log: WriteAheadLog;
    readonly image: ImageStore;
    readonly imageName: string;
    readonly pinnedBytesMax: number;
    readonly logger: Logger;
    readonly room: RoomWait;
    readonly openFiles: RoomWait;
    readonly base: SnapshotMeta;
  }) {
    this.#ports = parts.ports;
    this.#directory = parts.directory;
    this.#identity = parts.identity;
    this.#log = parts.log;
    this.#image = parts.image;
    this.#imageName = parts.imageName;
    this.#newestImageName = parts.imageName;
    this.#pinnedBytesMax = parts.pinnedBytesMax;
    this.#logger = parts.logger;
    this.#room = parts.room;
    this.#openFiles = parts.openFiles;
    // Where those before it stood is forgotten: it counts for all but the next one, or a node that is started often would
    // keep its whole log.
    this.#checkpoints = Array.from({ length: CHECKPOINTS_KEPT - 1 }, () => parts.base.index);
  }

  /** `formation`: what the log stands on before the first checkpoint. */
  static async open(
    machine: ServerPorts,
    directory: string,
    identity: IdentityFile,
    options: {
      readonly formation: SnapshotMeta;
      readonly limits: TreeLimits;
      readonly segmentBytes: number;
      /** Default 1 GiB. */
      readonly pinnedBytesMax?: number;
      /** Told what goes wrong and keeps nothing from going on. Default: nobody is. */
      readonly logger?: Logger;
    },
  ): Promise<OpenedStorage> {
    // Before anything is looked at that damage could be found in, which would set aside what must stay.
    const { conflictIndex } = identity.current;
    if (conflictIndex !== null) throw conflictAt(conflictIndex);
    const room = new RoomWait(machine.clock);
    const openFiles = new RoomWait(machine.clock, "openFiles");
    const ports = { ...machine, files: new PatientFiles(machine.files, openFiles) };
    const { image, imageName } = await openImage(ports, directory, identity);
    let log: WriteAheadLog | null = null;
    try {
      const opened = await openLog(ports, directory, identity, {
        segmentBytes: options.segmentBytes,
        room,
      });
      ({ log } = opened);
      if (!identity.current.logStarted) await identity.update({ logStarted: true });
      const { recovered } = opened;
      refuseDamage(recovered);
      if (identity.current.hasLostEntries) throw lossOf(log.lastIndex);
      const { tree, meta } = await loadImage(image, options.limits, ports.clock);
      if (meta !== null) refuseForeign(meta, identity.current);
      const base = meta === null ? options.formation : meta.snapshot;
      const { pinnedBytesMax = PINNED_BYTES_MAX_DEFAULT, logger = SILENT_LOGGER } = options;
      const files = { identity, log, image, imageName };
      const waits = { room, openFiles };
      const storage = new NodeStorage({
        ...{ ports, directory, ...files, pinnedBytesMax, logger, ...waits, base },
      });
      const hardState = laterHardState(identity.current.hardState, recovered.hardState);
      // The process ended while both copies were written: from now on what the log alone has may be told.
      if (!isSameHardState(hardState, identity.current.hardState)) {
        await identity.update({ hardState, hasVoted: true });
      }
      const entries = await storage.#entriesAfter(base, hardState);
      const { firstIndex } = log;
      const initial = { hardState, snapshot: base, firstIndex, entries };
      return { storage, tree, recovered, initial };
    } catch (error) {
      await log?.close();
      await image.close();
      throw error;
    }
  }

  /** What the state machine stands on and is written to; a snapshot in force takes its place when it is installed. */
  get image(): ImageStore {
    return this.#image;
  }

  /**
   * Room on the disk: from `begin` to `end` the log waits for it instead of failing. Ended before the last write is waited
   * for.
   */
  get room(): RoomWait {
    return this.#room;
  }

  /** Files that may be open: from `begin` to `end` log and directories wait for one instead of failing. */
  get openFiles(): RoomWait {
    return this.#openFiles;
  }

  get logBytes(): number {
    return this.#log.bytes;
  }

  get logFirstIndex(): LogIndex {
    return this.#log.firstIndex;
  }

  async #entriesAfter(base: SnapshotMeta, hardState: HardState): Promise<readonly Entry[]> {
    const log = this.#log;
    if (!(await this.#logContains(base))) {
      // A snapshot was put in force and the process ended before the log could say so: then nothing was written since.
      if (log.sequence !== this.#identity.current.logSequence) refuseShortLog(base, log.lastIndex);
      reached("start_between_snapshot_and_log");
      await log.persist({ hardState, snapshot: base }, new Uint8Array(0));
      return [];
    }
    const entries: Entry[] = [];
    for await (const slice of entriesAfter(base, log))
      for (const entry of slice) entries.push(entry);
    return entries;
  }

  async #logContains(base: SnapshotMeta): Promise<boolean> {
    const log = this.#log;
    if (log.lastIndex >= base.index && log.firstIndex > base.index + 1) {
      throw new ServerError(
        "IMAGE_CORRUPT",
        `the image stands at ${base.index}, but the log begins at ${log.firstIndex}`,
      );
    }
    return goesOnFrom(base, log);
  }

  async persist(work: PersistWork, block: Uint8Array): Promise<void> {
    // The image behind a snapshot must be in force before the log says that it starts there.
    if (work.snapshot !== null) await this.#putInForce(work.snapshot.index);
    await this.#log.persist({ hardState: work.hardState, snapshot: work.snapshot }, block);
  }

  fetch(work: FetchWork): Promise<FetchedEntries | null> {
    return this.#log.read(work.from, work.to, work.bytesMax);
  }

  /** The second copy of term and vote, durable when it resolves; the log may be written meanwhile. */
  recordVote(hardState: HardState): Promise<void> {
    return this.#identity.recordVote(hardState, this.#log.sequence);
  }

  /**
   * Reads log and image once more, while both are in use. Rejects with LOG_CORRUPT, IMAGE_CORRUPT or FORMAT_UNKNOWN where they
   * are not what was written or the medium fails, with STORAGE_FAILED where something else is in the way, and with what
   * `consume` rejects with. To be over before it is closed.
   */
  async scrub(consume: Consume): Promise<void> {
    const damage = await this.#log.scrub(consume);
    if (damage !== null) {
      throw new ServerError("LOG_CORRUPT", damageText(damage));
    }
    const image = this.#image;
    try {
      await scrubImage(image, consume);
    } catch (error) {
      // One that a snapshot replaced meanwhile is nobody's loss.
      if (image === this.#image) throw error;
    }
  }

  /**
   * What this node acknowledged is gone: from when this resolves it takes no part any more, however often it is started.
   * Resolves with what it ends with, LOG_CORRUPT.
   */
  async noteLoss(): Promise<ServerError> {
    await this.#identity.update({ hasLostEntries: true });
    return lossOf(this.#log.lastIndex);
  }

  /**
   * A leader contradicts what this node has: from when this resolves it takes no part any more, however often it is started,
   * and all that it has stays. Resolves with what it ends with, LOG_CONFLICT.
   */
  async noteConflict({ index }: CommitConflict): Promise<ServerError> {
    await this.#identity.update({ conflictIndex: index });
    return conflictAt(index);
  }

  /** This node is in the membership at `index`, which is applied. Durable when it resolves; the first one counts. */
  async noteMember(index: LogIndex): Promise<void> {
    if (this.#identity.current.memberSince === null) {
      await this.#identity.update({ memberSince: index });
    }
  }

  /** A new, empty image beside all that may be in force or come to be. */
  async createImage(): Promise<NewImage> {
    const name = imageName(imageNumber(this.#newestImageName) + 1);
    this.#newestImageName = name;
    const directory = `${this.#directory}/${name}`;
    await this.#ports.files.remove(directory);
    const image = await this.#ports.images.open(directory, { create: true });
    return { image, directory: name };
  }

  async discardImage(image: ImageStore, name: string): Promise<void> {
    await image.close();
    await this.#ports.files.remove(`${this.#directory}/${name}`);
  }

  /** A received snapshot that the core may want to start from. */
  stage(snapshot: ReceivedSnapshot): void {
    assert(this.#staged === null, "one_snapshot_staged");
    this.#staged = snapshot;
  }

  /** Gives the staged snapshot up, unless it is in force. */
  async unstage(): Promise<void> {
    const staged = this.#staged;
    if (staged === null || this.#isStagedInForce) return;
    reached("received_snapshot_given_up");
    this.#staged = null;
    await this.discardImage(staged.image, staged.directory);
  }

  async #putInForce(index: LogIndex): Promise<void> {
    const staged = this.#staged;
    if (staged === null || staged.meta.index !== index) {
      throw new ServerError("IMAGE_CORRUPT", `no snapshot at ${index} was received`);
    }
    this.#isStagedInForce = true;
    await this.syncNames();
    await this.#identity.update({ image: staged.directory, logSequence: this.#log.sequence });
  }

  /** The state machine stands on the snapshot in force. `settled`: nothing uses the old image any more. */
  install(settled: Promise<unknown>): void {
    const staged = this.#staged;
    assert(staged !== null && this.#isStagedInForce, "install_of_the_image_in_force");
    const old = { image: this.#image, name: this.#imageName };
    this.#image = staged.image;
    this.#imageName = staged.directory;
    this.#checkpoints = [staged.meta.index];
    this.#staged = null;
    this.#isStagedInForce = false;
    this.#retire(old, settled);
  }

  /** The image stands at `index` now: the log behind the last few checkpoints goes, but nothing that follows `pinned`. */
  async trim(index: LogIndex, pinned: LogIndex | null): Promise<void> {
    // A log that is found to be shorter than it is now has lost something.
    await this.#identity.update({ logSequence: this.#log.sequence });
    this.#checkpoints.push(index);
    while (this.#checkpoints.length > CHECKPOINTS_KEPT) this.#checkpoints.shift();
    const oldest = this.#checkpoints[0];
    if (this.#checkpoints.length < CHECKPOINTS_KEPT || oldest === undefined) return;
    const isPinned = pinned !== null && pinned < oldest && this.#log.bytes <= this.#pinnedBytesMax;
    if (isPinned) reached("log_kept_for_a_peer");
    await this.#log.compact(isPinned ? pinned : oldest);
  }

  /** The names of images are durable. */
  syncNames(): Promise<void> {
    return this.#ports.files.syncDirectory(this.#directory);
  }

  /**
   * Puts a new image in force, durable with its name and of a revision that the log holds, in place of one that is damaged;
   * the old one goes. False: a snapshot has taken its place meanwhile, or is about to. Rejects where the identity on disk may
   * name either of them: nothing can be written to that any more, and both stay.
   */
  async replaceImage(damaged: ImageStore, { image, directory }: NewImage): Promise<boolean> {
    // From here to the update, which waits its turn behind any before it, nothing comes between.
    const old = { image: this.#image, name: this.#imageName };
    if (old.image !== damaged || this.#isStagedInForce) {
      reached("image_replaced_while_it_was_renewed");
      return false;
    }
    try {
      await this.#identity.update({ image: directory, logSequence: this.#log.sequence });
    } catch (error) {
      this.#undecided = image;
      throw error;
    }
    assert(this.#image === damaged, "damaged_image_in_force_until_replaced");
    this.#image = image;
    this.#imageName = directory;
    this.#retire(old, Promise.resolve());
    return true;
  }

  /** Takes away what was in force, once `settled`: nothing uses it any more. */
  #retire(
    old: { readonly image: ImageStore; readonly name: string },
    settled: Promise<unknown>,
  ): void {
    this.#cleaning = Promise.allSettled([this.#cleaning, settled])
      .then(() => this.discardImage(old.image, old.name))
      .catch((error: unknown) => {
        this.#cleaningFailure ??= error;
        this.#logger.error({ error, image: old.name }, "an old image could not be taken away");
      });
  }

  /** Closes log and images, all of them whatever fails. The identity is its opener's. */
  async close(): Promise<void> {
    this.#room.end();
    this.#openFiles.end();
    const staged = this.#staged;
    const results = await Promise.allSettled([
      this.#cleaning,
      this.#log.close(),
      this.#image.close(),
      staged?.image.close(),
      this.#undecided?.close(),
    ]);
    for (const result of results) if (result.status === "rejected") throw result.reason;
    if (this.#cleaningFailure !== null) throw this.#cleaningFailure;
  }
}

/** Throws IDENTITY_MISMATCH for an image that is not of this node's ensemble. */
export function refuseForeign(
  { clusterId, historyId }: ImageMeta,
  identity: Pick<Identity, "clusterId" | "historyId">,
): void {
  if (clusterId === identity.clusterId && historyId === identity.historyId) return;
  throw new ServerError(
    "IDENTITY_MISMATCH",
    `the image is of ensemble ${clusterId}, history ${historyId}; ` +
      `this node is of ensemble ${identity.clusterId}, history ${identity.historyId}`,
  );
}

async function openLog(
  ports: ServerPorts,
  directory: string,
  identity: IdentityFile,
  options: { readonly segmentBytes: number; readonly room: RoomWait },
): Promise<{ readonly log: WriteAheadLog; readonly recovered: RecoveredLog }> {
  const path = `${directory}/${LOG_DIRECTORY}`;
  const { logStarted, logTag, nodeId, logSequence } = identity.current;
  if (!logStarted) await ports.files.remove(path);
  return WriteAheadLog.open(ports.files, path, {
    nodeId,
    tag: logTag,
    random: ports.random,
    create: !logStarted,
    sequenceAtLeast: logSequence,
    ...options,
  });
}
