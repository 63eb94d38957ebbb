import type { InstallSnapshot, LogIndex, NodeId, SnapshotMeta } from "@quorate/raft";
import type { PeerEnvelope } from "../peer/envelope.ts";
import { reached } from "../points.ts";
import type { ImageStore, ImageView, MonotonicClock } from "../ports.ts";
import { IMAGE_META_KEY, decodeImageMeta } from "./image-meta.ts";
import { recordsChecksum } from "./records-checksum.ts";

export interface SnapshotSenderPorts {
  readonly clock: MonotonicClock;
  readonly pieceBytes: number;
  /** Its disk is not as good as used up, as far as it said. */
  hasSpareRoom(to: NodeId): boolean;
  /** The image in force. */
  image(): ImageStore;
  send(to: NodeId, envelope: PeerEnvelope): void;
  /** The transfer ended: for the core. */
  done(to: NodeId, ok: boolean): void;
  /** The peer has all of it, and found that it is not what it says: the image may be the one that is wrong. */
  suspected(): void;
  /** Reading this image failed with that. */
  unreadable(error: unknown, image: ImageStore): void;
}

const CHUNK_RECORDS = 1_024;
/** Pieces under way without an answer. */
const WINDOW = 8;
/** Without any answer for this long a transfer is given up; the core starts another. */
const TIMEOUT_MS = 5_000;
/** A transfer whose link broke goes on where it was if the core asks for it again within this; its view stays open until then. */
const RESUME_MS = 30_000;
/** Between two transfers to a peer that has no room, or that has refused two in a row. */
const PUT_OFF_MS = 10_000;

type SnapshotChunk = Extract<PeerEnvelope, { readonly kind: "snapshotChunk" }>;

interface Transfer {
  readonly id: number;
  readonly to: NodeId;
  message: InstallSnapshot;
  readonly image: ImageStore;
  view: ImageView | null;
  header: SnapshotMeta | null;
  /** The next piece has to say what it belongs to. */
  isHeaderDue: boolean;
  checksum: number;
  /** Pieces made so far, and of those the ones that are not answered. */
  made: number;
  unanswered: readonly SnapshotChunk[];
  ended: boolean;
  reading: boolean;
  /** Of the last answer, or since when its link is broken. */
  sinceMs: number;
}

/** Streams the image to followers whose log ends before ours begins, one transfer a follower, while the node goes on. */
export class SnapshotSender {
  readonly #ports: SnapshotSenderPorts;
  readonly #transfers = new Map<NodeId, Transfer>();
  /** Those whose link broke. */
  readonly #suspended = new Map<NodeId, Transfer>();
  /** Peers whose last transfer was refused. */
  readonly #refused = new Set<NodeId>();
  /** Since when those wait for their next one who are not to get it at once. */
  readonly #putOffSinceMs = new Map<NodeId, number>();
  /** Where the oldest snapshot stands that has arrived since {@link takePinnedIndex} was asked. */
  #arrivedIndex: LogIndex | null = null;
  #nextId: number;

  /** `firstId`: not used by an earlier process of this node. */
  constructor(firstId: number, ports: SnapshotSenderPorts) {
    this.#nextId = firstId;
    this.#ports = ports;
  }

  /** Transfers that go on, or wait for their peer to be reached again. */
  get count(): number {
    return this.#transfers.size + this.#suspended.size;
  }

  /**
   * The oldest index that some peer's log will go on from: the entries behind it have to be there when its transfer ends,
   * and for one more time that this is asked. Null: no peer is on its way.
   */
  takePinnedIndex(): LogIndex | null {
    let pinned = this.#arrivedIndex;
    this.#arrivedIndex = null;
    for (const { header, message } of [...this.#transfers.values(), ...this.#suspended.values()]) {
      pinned = earlier(pinned, (header ?? message.snapshot).index);
    }
    return pinned;
  }

  /** Begins a transfer, or goes on with the one to this peer that is under way, or whose link broke. */
  start(message: InstallSnapshot): void {
    const { to } = message;
    this.#putOffSinceMs.delete(to);
    const active = this.#transfers.get(to);
    if (active !== undefined) {
      reached("snapshot_asked_for_while_under_way");
      // What arrives in the name of a term that is over is dropped, all of it.
      if (message.term !== active.message.term) this.#resume(active, message);
      return;
    }
    if (!this.#ports.hasSpareRoom(to)) {
      this.#putOff(to);
      return;
    }
    const suspended = this.#suspended.get(to);
    this.#suspended.delete(to);
    if (suspended !== undefined && isOfUse(suspended, message)) {
      this.#transfers.set(to, suspended);
      reached("snapshot_resumed");
      this.#resume(suspended, message);
      return;
    }
    if (suspended !== undefined) {
      reached("suspended_snapshot_too_old");
      closeView(suspended);
    }
    const transfer: Transfer = {
      id: this.#nextId,
      to,
      message,
      image: this.#ports.image(),
      view: null,
      header: null,
      isHeaderDue: true,
      checksum: 0,
      made: 0,
      unanswered: [],
      ended: false,
      reading: false,
      sinceMs: this.#ports.clock.nowMs(),
    };
    this.#nextId += 1;
    this.#transfers.set(to, transfer);
    try {
      transfer.view = transfer.image.view();
    } catch (error) {
      this.#fail(transfer, error);
      return;
    }
    this.#pump(transfer);
  }

  /** The core is told later, so that it does not begin another at once. */
  #putOff(to: NodeId): void {
    reached("snapshot_put_off");
    this.#putOffSinceMs.set(to, this.#ports.clock.nowMs());
  }

  #endPutOff(to: NodeId): void {
    if (this.#putOffSinceMs.delete(to)) this.#ports.done(to, false);
  }

  /** What it is made of cannot be read. */
  #fail(transfer: Transfer, error: unknown): void {
    if (this.#isActive(transfer)) this.#ports.unreadable(error, transfer.image);
    this.#finish(transfer, false);
  }

  /** What is not answered may be lost, and goes out again; the receiver is told of the message that it belongs to now. */
  #resume(transfer: Transfer, message: InstallSnapshot): void {
    transfer.message = message;
    transfer.sinceMs = this.#ports.clock.nowMs();
    transfer.isHeaderDue = true;
    const again = transfer.unanswered;
    transfer.unanswered = [];
    for (const chunk of again) this.#send(transfer, chunk);
    this.#pump(transfer);
  }

  onAck(from: NodeId, transferId: number, sequence: number, ok: boolean): void {
    const transfer = this.#transfers.get(from);
    if (transfer === undefined || transfer.id !== transferId) return;
    transfer.sinceMs = this.#ports.clock.nowMs();
    if (!ok) {
      // Before that it is what a single piece says, or the peer has no room.
      if (transfer.ended && sequence === transfer.made) {
        reached("snapshot_refused_at_its_end");
        this.#ports.suspected();
      }
      this.#onRefusal(transfer);
      return;
    }
    transfer.unanswered = transfer.unanswered.filter((chunk) => chunk.sequence > sequence);
    if (transfer.ended && transfer.unanswered.length === 0) this.#finish(transfer, true);
    else this.#pump(transfer);
  }

  #onRefusal(transfer: Transfer): void {
    const { to } = transfer;
    if (!this.#refused.has(to)) {
      this.#refused.add(to);
      this.#finish(transfer, false);
      return;
    }
    this.#transfers.delete(to);
    closeView(transfer);
    this.#putOff(to);
  }

  onLinkDown(peer: NodeId): void {
    this.#endPutOff(peer);
    const transfer = this.#transfers.get(peer);
    if (transfer === undefined) return;
    if (transfer.header === null) {
      this.#finish(transfer, false);
      return;
    }
    this.#transfers.delete(peer);
    this.#suspended.set(peer, transfer);
    reached("snapshot_suspended_by_broken_link");
    transfer.sinceMs = this.#ports.clock.nowMs();
    this.#ports.done(peer, false);
  }

  onTick(): void {
    const now = this.#ports.clock.nowMs();
    for (const transfer of this.#transfers.values()) {
      if (now - transfer.sinceMs > TIMEOUT_MS) {
        reached("snapshot_unanswered_given_up");
        this.#finish(transfer, false);
      }
    }
    for (const [peer, sinceMs] of this.#putOffSinceMs) {
      if (now - sinceMs >= PUT_OFF_MS) this.#endPutOff(peer);
    }
    for (const [peer, transfer] of this.#suspended) {
      if (now - transfer.sinceMs <= RESUME_MS) continue;
      reached("suspended_snapshot_given_up");
      this.#suspended.delete(peer);
      closeView(transfer);
    }
  }

  stop(): void {
    for (const transfer of this.#transfers.values()) this.#finish(transfer, false);
    for (const transfer of this.#suspended.values()) closeView(transfer);
    this.#suspended.clear();
    this.#putOffSinceMs.clear();
  }

  #isActive(transfer: Transfer): boolean {
    return this.#transfers.get(transfer.to) === transfer;
  }

  #pump(transfer: Transfer): void {
    if (transfer.reading || transfer.ended || transfer.view === null) return;
    if (!this.#isActive(transfer) || transfer.unanswered.length >= WINDOW) return;
    transfer.reading = true;
    void this.#readOn(transfer, transfer.view);
  }

  async #readOn(transfer: Transfer, view: ImageView): Promise<void> {
    try {
      const records = await view.next(CHUNK_RECORDS, this.#ports.pieceBytes);
      transfer.reading = false;
      this.#make(transfer, records);
    } catch (error) {
      this.#fail(transfer, error);
      return;
    }
    this.#pump(transfer);
  }

  #make(transfer: Transfer, records: SnapshotChunk["records"]): void {
    // The meta record sorts before all others, so what it says is of the same view as everything behind it.
    const head = transfer.made === 0 ? records.find(([key]) => key === IMAGE_META_KEY) : undefined;
    if (head !== undefined) transfer.header = decodeImageMeta(head[1]).snapshot;
    if (transfer.header === null) {
      this.#finish(transfer, false);
      return;
    }
    transfer.checksum = recordsChecksum(records, transfer.checksum);
    transfer.made += 1;
    transfer.ended = records.length === 0;
    this.#send(transfer, {
      kind: "snapshotChunk",
      transfer: transfer.id,
      sequence: transfer.made,
      header: null,
      records,
      last: transfer.ended,
      checksum: transfer.checksum,
    });
  }

  /** What is made while the link is broken leaves when the transfer goes on. */
  #send(transfer: Transfer, chunk: SnapshotChunk): void {
    transfer.unanswered = [...transfer.unanswered, chunk];
    if (!this.#isActive(transfer)) return;
    const { header: meta, message, isHeaderDue } = transfer;
    const header = isHeaderDue && meta !== null ? { meta, message } : null;
    transfer.isHeaderDue = false;
    this.#ports.send(transfer.to, { ...chunk, header });
  }

  #finish(transfer: Transfer, ok: boolean): void {
    if (this.#suspended.get(transfer.to) === transfer) {
      this.#suspended.delete(transfer.to);
      closeView(transfer);
      return;
    }
    if (!this.#isActive(transfer)) return;
    this.#transfers.delete(transfer.to);
    if (ok) this.#refused.delete(transfer.to);
    if (ok && transfer.header !== null) {
      this.#arrivedIndex = earlier(this.#arrivedIndex, transfer.header.index);
    }
    closeView(transfer);
    this.#ports.done(transfer.to, ok);
  }
}

/** It stands for at least what the core asks for now. */
function isOfUse({ header }: Transfer, { snapshot }: InstallSnapshot): boolean {
  return header !== null && header.index >= snapshot.index;
}

/** A view that cannot be closed has nothing left to lose: the store behind it is going away. */
function closeView({ view }: Transfer): void {
  view?.close().catch(() => undefined);
}

function earlier(known: LogIndex | null, other: LogIndex): LogIndex {
  return known !== null && known < other ? known : other;
}
