import type { InstallSnapshot, LogIndex, NodeId, SnapshotMeta } from "@quorate/raft";
import type { PeerEnvelope } from "../peer/envelope.ts";
import type { ImageStore, ImageView, MonotonicClock } from "../ports.ts";
import { IMAGE_META_KEY, decodeImageMeta } from "./image-meta.ts";
import { recordsChecksum } from "./records-checksum.ts";

export interface SnapshotSenderPorts {
  readonly clock: MonotonicClock;
  /** The image in force. */
  image(): ImageStore;
  send(to: NodeId, envelope: PeerEnvelope): void;
  /** The transfer ended: for the core. */
  done(to: NodeId, ok: boolean): void;
}

/** Bytes of one piece: small enough that a heartbeat behind it is not late on a slow link. */
const CHUNK_BYTES = 65_536;
const CHUNK_RECORDS = 1_024;
/** Pieces under way without an answer. */
const WINDOW = 8;
/** Without any answer for this long a transfer is given up; the core starts another. */
const TIMEOUT_MS = 5_000;

interface Transfer {
  readonly id: number;
  readonly to: NodeId;
  readonly message: InstallSnapshot;
  view: ImageView | null;
  header: SnapshotMeta | null;
  checksum: number;
  sent: number;
  acked: number;
  ended: boolean;
  reading: boolean;
  lastAnswerMs: number;
}

/** Streams the image to followers whose log ends before ours begins, one transfer a follower, while the node goes on. */
export class SnapshotSender {
  readonly #ports: SnapshotSenderPorts;
  readonly #transfers = new Map<NodeId, Transfer>();
  /** Where the oldest snapshot stands that has arrived since {@link takePinnedIndex} was asked. */
  #arrivedIndex: LogIndex | null = null;
  #nextId: number;

  /** `firstId`: not used by an earlier process of this node. */
  constructor(firstId: number, ports: SnapshotSenderPorts) {
    this.#nextId = firstId;
    this.#ports = ports;
  }

  get activeCount(): number {
    return this.#transfers.size;
  }

  /**
   * The oldest index that some peer's log will go on from: the entries behind it have to be there when its transfer ends,
   * and for one more time that this is asked. Null: no peer is on its way.
   */
  takePinnedIndex(): LogIndex | null {
    let pinned = this.#arrivedIndex;
    this.#arrivedIndex = null;
    for (const { header, message } of this.#transfers.values()) {
      pinned = earlier(pinned, (header ?? message.snapshot).index);
    }
    return pinned;
  }

  start(message: InstallSnapshot): void {
    if (this.#transfers.has(message.to)) return;
    const transfer: Transfer = {
      id: this.#nextId,
      to: message.to,
      message,
      view: null,
      header: null,
      checksum: 0,
      sent: 0,
      acked: 0,
      ended: false,
      reading: false,
      lastAnswerMs: this.#ports.clock.nowMs(),
    };
    this.#nextId += 1;
    this.#transfers.set(message.to, transfer);
    transfer.view = this.#ports.image().view();
    this.#pump(transfer);
  }

  onAck(from: NodeId, transferId: number, sequence: number, ok: boolean): void {
    const transfer = this.#transfers.get(from);
    if (transfer === undefined || transfer.id !== transferId) return;
    transfer.lastAnswerMs = this.#ports.clock.nowMs();
    if (!ok) {
      this.#finish(transfer, false);
      return;
    }
    transfer.acked = Math.max(transfer.acked, sequence);
    if (transfer.ended && transfer.acked === transfer.sent) this.#finish(transfer, true);
    else this.#pump(transfer);
  }

  onLinkDown(peer: NodeId): void {
    const transfer = this.#transfers.get(peer);
    if (transfer !== undefined) this.#finish(transfer, false);
  }

  onTick(): void {
    const now = this.#ports.clock.nowMs();
    for (const transfer of this.#transfers.values()) {
      if (now - transfer.lastAnswerMs > TIMEOUT_MS) this.#finish(transfer, false);
    }
  }

  stop(): void {
    for (const transfer of this.#transfers.values()) this.#finish(transfer, false);
  }

  #pump(transfer: Transfer): void {
    if (transfer.reading || transfer.ended || transfer.view === null) return;
    if (this.#transfers.get(transfer.to) !== transfer) return;
    if (transfer.sent - transfer.acked >= WINDOW) return;
    transfer.reading = true;
    void this.#readOn(transfer, transfer.view);
  }

  async #readOn(transfer: Transfer, view: ImageView): Promise<void> {
    try {
      const records = await view.next(CHUNK_RECORDS, CHUNK_BYTES);
      transfer.reading = false;
      this.#sendChunk(transfer, records);
    } catch {
      this.#finish(transfer, false);
      return;
    }
    this.#pump(transfer);
  }

  #sendChunk(
    transfer: Transfer,
    records: readonly (readonly [key: string, value: Uint8Array])[],
  ): void {
    if (this.#transfers.get(transfer.to) !== transfer) return;
    const first = transfer.sent === 0;
    // The meta record sorts before all others, so what it says is of the same view as everything behind it.
    const head = first ? records.find(([key]) => key === IMAGE_META_KEY) : undefined;
    if (head !== undefined) transfer.header = decodeImageMeta(head[1]).snapshot;
    if (transfer.header === null) {
      this.#finish(transfer, false);
      return;
    }
    transfer.checksum = recordsChecksum(records, transfer.checksum);
    transfer.sent += 1;
    transfer.ended = records.length === 0;
    this.#ports.send(transfer.to, {
      kind: "snapshotChunk",
      transfer: transfer.id,
      sequence: transfer.sent,
      header: first ? { meta: transfer.header, message: transfer.message } : null,
      records,
      last: transfer.ended,
      checksum: transfer.checksum,
    });
  }

  #finish(transfer: Transfer, ok: boolean): void {
    if (this.#transfers.get(transfer.to) !== transfer) return;
    this.#transfers.delete(transfer.to);
    if (ok && transfer.header !== null) {
      this.#arrivedIndex = earlier(this.#arrivedIndex, transfer.header.index);
    }
    // A view that cannot be closed has nothing left to lose: the store behind it is going away.
    transfer.view?.close().catch(() => undefined);
    this.#ports.done(transfer.to, ok);
  }
}

function earlier(known: LogIndex | null, other: LogIndex): LogIndex {
  return known !== null && known < other ? known : other;
}
