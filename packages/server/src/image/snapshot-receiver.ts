import { ImageError, TreeLoader, type DataTree, type TreeLimits } from "@quorate/kv-store";
import type { InstallSnapshot, NodeId, SnapshotMeta } from "@quorate/raft";
import { ServerError, isStorageFull } from "../errors.ts";
import type { PeerEnvelope } from "../peer/envelope.ts";
import { reached } from "../points.ts";
import type { ImageStore, MonotonicClock, Timer } from "../ports.ts";
import { IMAGE_META_KEY, decodeImageMeta, isSameSnapshot, type ImageMeta } from "./image-meta.ts";
import { recordsChecksum } from "./records-checksum.ts";

type SnapshotChunk = Extract<PeerEnvelope, { readonly kind: "snapshotChunk" }>;

/** A snapshot that is complete, verified and durable, not in force yet. */
export interface ReceivedSnapshot {
  readonly meta: SnapshotMeta;
  /** To be stepped into the core: its snapshot is the one that was received. */
  readonly message: InstallSnapshot;
  readonly tree: DataTree;
  readonly image: ImageStore;
  readonly directory: string;
}

export interface SnapshotReceiverPorts {
  readonly clock: MonotonicClock;
  readonly limits: TreeLimits;
  readonly clusterId: string;
  readonly historyId: string;
  /** Of the disk, as last seen. */
  freeBytes(): number;
  /** Not so little is free that it is kept for the log. */
  hasSpareRoom(): boolean;
  /** A new, empty image beside the one in force. */
  createImage(): Promise<{ readonly image: ImageStore; readonly directory: string }>;
  /** Takes an image away that came to nothing. */
  discardImage(image: ImageStore, directory: string): Promise<void>;
  ack(to: NodeId, transfer: number, sequence: number, ok: boolean): void;
  received(snapshot: ReceivedSnapshot): Promise<void>;
  /** This node cannot go on (its own disk failed). */
  fatal(error: unknown): void;
}

/** The sender's window bounds what may wait here; more is not from a sender that keeps to the protocol. */
const QUEUED_MAX = 64;
/** Whoever sends has given up long before: it was not needed any more, or comes anew. */
const SILENCE_MS_MAX = 60_000;

/** Until one is taken in again with no more room than the last one did not fit into. */
const FULL_MS = 60_000;

interface Receipt {
  readonly from: NodeId;
  readonly transfer: number;
  readonly meta: SnapshotMeta;
  /** The last one that it was asked for with. */
  message: InstallSnapshot;
  readonly image: ImageStore;
  readonly directory: string;
  readonly loader: TreeLoader;
  /** When it began. */
  readonly freeBytes: number;
  /** The record that tells what the image stands for has come. */
  hasMeta: boolean;
  checksum: number;
  sequence: number;
}

/**
 * Takes a snapshot in, piece by piece, into an image of its own: all or nothing, and nothing of the state in force changes
 * before every record, the checksum and the state's digest are right and durable.
 */
export class SnapshotReceiver {
  readonly #ports: SnapshotReceiverPorts;
  #receipt: Receipt | null = null;
  /** Pieces are worked off one after the other. */
  #work: Promise<void> = Promise.resolve();
  #queued = 0;
  #silence: Timer | null = null;
  /** One did not fit into this much, then. */
  #tooLittle: { readonly freeBytes: number; readonly atMs: number } | null = null;

  constructor(ports: SnapshotReceiverPorts) {
    this.#ports = ports;
  }

  get isReceiving(): boolean {
    return this.#receipt !== null;
  }

  onChunk(from: NodeId, chunk: SnapshotChunk): void {
    if (this.#queued >= QUEUED_MAX) {
      reached("snapshot_pieces_beyond_the_window");
      return;
    }
    this.#queued += 1;
    this.#work = this.#work.then(async () => {
      this.#queued -= 1;
      try {
        await this.#take(from, chunk);
      } catch (error) {
        await this.#refuse(from, chunk, error);
      }
      this.#awaitNext();
    });
  }

  /** Waits until nothing is being worked on, and drops what is incomplete. */
  async stop(): Promise<void> {
    await this.#work;
    this.#silence?.cancel();
    await this.#drop();
  }

  #awaitNext(): void {
    this.#silence?.cancel();
    this.#silence = null;
    if (this.#receipt === null) return;
    this.#silence = this.#ports.clock.after(SILENCE_MS_MAX, () => {
      reached("unfinished_snapshot_given_up");
      this.#work = this.#work
        .then(() => this.#drop())
        .catch((error: unknown) => this.#ports.fatal(error));
    });
  }

  async #take(from: NodeId, chunk: SnapshotChunk): Promise<void> {
    if (chunk.header !== null && !this.#isOf(from, chunk)) await this.#begin(from, chunk);
    const receipt = this.#receipt;
    if (receipt === null || !this.#isOf(from, chunk)) return;
    receipt.message = chunk.header?.message ?? receipt.message;
    if (chunk.sequence <= receipt.sequence) {
      reached("snapshot_piece_came_again");
      // The answer to it was lost with a link.
      this.#ports.ack(from, chunk.transfer, receipt.sequence, true);
      return;
    }
    if (chunk.sequence !== receipt.sequence + 1) {
      reached("snapshot_piece_missing");
      return;
    }
    receipt.checksum = recordsChecksum(chunk.records, receipt.checksum);
    if (receipt.checksum !== chunk.checksum)
      throw new ImageError("BAD_RECORD", "checksum of a piece");
    receipt.sequence = chunk.sequence;
    if (chunk.records.length > 0) await this.#store(receipt, chunk);
    if (chunk.last) await this.#complete(receipt);
    this.#ports.ack(from, chunk.transfer, chunk.sequence, true);
  }

  #isOf(from: NodeId, chunk: SnapshotChunk): boolean {
    return this.#receipt?.from === from && this.#receipt.transfer === chunk.transfer;
  }

  async #begin(from: NodeId, chunk: SnapshotChunk): Promise<void> {
    if (this.#receipt !== null) reached("unfinished_snapshot_replaced");
    await this.#drop();
    const header = chunk.header;
    if (header === null) return;
    // The transfer goes on, but this process has not seen it begin.
    if (chunk.sequence > 1) {
      reached("snapshot_began_in_an_earlier_process");
      throw new ImageError("INCOMPLETE", "the transfer did not begin here");
    }
    const freeBytes = this.#ports.freeBytes();
    if (this.#isTooLittle(freeBytes)) throw noRoom();
    const { image, directory } = await this.#ports.createImage();
    this.#receipt = {
      from,
      transfer: chunk.transfer,
      meta: header.meta,
      message: header.message,
      image,
      directory,
      loader: new TreeLoader(this.#ports.limits),
      freeBytes,
      hasMeta: false,
      checksum: 0,
      sequence: 0,
    };
  }

  #isTooLittle(freeBytes: number): boolean {
    const before = this.#tooLittle;
    if (!this.#ports.hasSpareRoom()) return true;
    if (before === null || this.#ports.clock.nowMs() - before.atMs >= FULL_MS) return false;
    return freeBytes <= before.freeBytes;
  }

  async #store(receipt: Receipt, chunk: SnapshotChunk): Promise<void> {
    // The log can wait for the disk; what it has left is not for this.
    if (!this.#ports.hasSpareRoom()) throw noRoom();
    const batch = receipt.image.batch();
    for (const [key, value] of chunk.records) {
      batch.put(key, value);
      if (key === IMAGE_META_KEY) {
        this.#checkMeta(value, receipt.meta);
        receipt.hasMeta = true;
      } else {
        receipt.loader.add(key, value);
      }
    }
    await batch.write();
  }

  async #complete(receipt: Receipt): Promise<void> {
    const { meta, image, directory } = receipt;
    const tree = receipt.loader.finish();
    if (!receipt.hasMeta || tree.lastZxid !== (meta.index as number)) {
      throw new ImageError("INCOMPLETE", "the records do not stand for what was announced");
    }
    this.#receipt = null;
    reached("snapshot_received_whole");
    const message: InstallSnapshot = { ...receipt.message, snapshot: meta };
    await this.#ports.received({ meta, message, tree, image, directory });
  }

  async #refuse(from: NodeId, chunk: SnapshotChunk, error: unknown): Promise<void> {
    reached("snapshot_piece_refused");
    this.#noteRoom(error);
    try {
      await this.#drop();
    } catch (failure) {
      this.#ports.fatal(failure);
      return;
    }
    this.#ports.ack(from, chunk.transfer, chunk.sequence, false);
    // What there was no room for is gone again, and nothing stands on it: the leader tries later.
    if (!(error instanceof ImageError) && !isStorageFull(error)) this.#ports.fatal(error);
  }

  #noteRoom(error: unknown): void {
    const receipt = this.#receipt;
    if (receipt === null || !isStorageFull(error)) return;
    reached("snapshot_found_no_room");
    this.#tooLittle = { freeBytes: receipt.freeBytes, atMs: this.#ports.clock.nowMs() };
  }

  /** The image would be started from by what this record says, so all of it is what was announced. */
  #checkMeta(value: Uint8Array, announced: SnapshotMeta): void {
    const { clusterId, historyId, snapshot } = sentMeta(value);
    const isOurs = clusterId === this.#ports.clusterId && historyId === this.#ports.historyId;
    if (isOurs && isSameSnapshot(snapshot, announced)) return;
    throw new ImageError("INCOMPLETE", "a meta record of something else");
  }

  async #drop(): Promise<void> {
    const receipt = this.#receipt;
    this.#receipt = null;
    if (receipt !== null) await this.#ports.discardImage(receipt.image, receipt.directory);
  }
}

function noRoom(): ServerError {
  return new ServerError("STORAGE_FULL", "the disk has no room for a snapshot");
}

/** What another node sent is no fault of this one's disk: whatever is wrong with it only ends the transfer. */
function sentMeta(value: Uint8Array): ImageMeta {
  try {
    return decodeImageMeta(value);
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    throw new ImageError("BAD_RECORD", error.message);
  }
}
