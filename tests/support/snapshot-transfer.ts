import { DataTree, TREE_LIMITS } from "@quorate/kv-store";
import { sessionId, writeSeq, zxid } from "@quorate/kv-store/protocol";
import {
  logIndex,
  nodeId,
  term,
  type Message,
  type NodeId,
  type SnapshotMeta,
} from "@quorate/raft";
import { vi, type Mock } from "vitest";
import { ServerError } from "../../packages/server/src/errors.ts";
import { Checkpointer } from "../../packages/server/src/image/checkpointer.ts";
import {
  SnapshotReceiver,
  type ReceivedSnapshot,
} from "../../packages/server/src/image/snapshot-receiver.ts";
import { SnapshotSender } from "../../packages/server/src/image/snapshot-sender.ts";
import { ManualClock } from "../../packages/server/src/memory/manual-clock.ts";
import { MemoryFiles } from "../../packages/server/src/memory/memory-files.ts";
import { MemoryImageStores } from "../../packages/server/src/memory/memory-image-stores.ts";
import type { PeerEnvelope } from "../../packages/server/src/peer/envelope.ts";
import type { ImageStore } from "../../packages/server/src/ports.ts";
import { loneMembership } from "./members.ts";

/** A piece on its way. */
export type Chunk = Extract<PeerEnvelope, { readonly kind: "snapshotChunk" }>;
type InstallSnapshot = Extract<Message, { readonly kind: "installSnapshot" }>;

export const LEADER: NodeId = nodeId(1);
export const PEER: NodeId = nodeId(2);
const NODES = 5000;

/** Ends its turns by itself. */
export class Clock extends ManualClock {
  override endOfTurn(callback: () => void): void {
    queueMicrotask(callback);
  }
}

/** Large enough for many pieces. */
export function builtTree(): DataTree {
  const tree = new DataTree(TREE_LIMITS);
  const stamp = { timeMs: 1, clockMs: 1 };
  const attach = { node: 1, address: "", principal: "", clientName: "" };
  tree.apply(zxid(1), 1, stamp, {
    ...{ kind: "openSession", verifier: new Uint8Array(16), timeoutMs: 5000, attach },
  });
  for (let at = 1; at <= NODES; at += 1) {
    tree.apply(zxid(1 + at), 1, stamp, {
      ...{ kind: "write", session: sessionId(1), writeSeq: writeSeq(at) },
      ...{ ackedSeq: at === 1 ? 0 : writeSeq(at - 1), epoch: 0 },
      ops: [{ kind: "create", path: `/${at}`, data: new Uint8Array(300), mode: "persistent" }],
    });
  }
  return tree;
}

/** What a snapshot at `index` says of itself. */
export function metaAt(index: number): SnapshotMeta {
  return {
    index: logIndex(index),
    term: term(1),
    membership: loneMembership(LEADER),
  };
}

/** What a test has of a leader and a peer between which a snapshot goes. */
export interface TransferLab {
  readonly clock: Clock;
  /** What is sent, and what it stands for. */
  readonly tree: DataTree;
  readonly meta: SnapshotMeta;
  readonly image: ImageStore;
  /** Between the two: it may lose pieces or alter them, and lose answers. */
  readonly wire: { alter: (chunk: Chunk) => Chunk | null; loseAcks: boolean };
  readonly sent: Chunk[];
  readonly inFlight: { now: number; most: number };
  /** How each transfer ended. */
  readonly ended: boolean[];
  readonly received: ReceivedSnapshot[];
  readonly discarded: string[];
  readonly fatal: Mock;
  /** Of the leader: its image may be wrong. */
  readonly suspected: Mock;
  readonly receiver: SnapshotReceiver;
  readonly sender: SnapshotSender;
  /** The leader's core knows an older image than the one that is sent. */
  readonly order: InstallSnapshot;
  /** The peer's. */
  readonly disk: { isFull: boolean; freeBytes: number; hasSpareRoom: boolean };
  /** What the leader heard of that. */
  readonly known: { hasSpareRoom: boolean };
}

/** A leader and a peer; everything between them passes `wire`, which may lose or alter it. */
export async function setUpTransfer(): Promise<TransferLab> {
  const files = new MemoryFiles();
  await files.makeDirectory("/data");
  const stores = new MemoryImageStores(files);
  const image = await stores.open("/data/leader", { create: true });
  const clock = new Clock();
  const tree = builtTree();
  const meta = metaAt(tree.lastZxid);
  await new Checkpointer({ clock, clusterId: "c", historyId: "h" }).run(tree, image, meta);
  const wire: TransferLab["wire"] = { alter: (chunk) => chunk, loseAcks: false };
  const sent: Chunk[] = [];
  const inFlight = { now: 0, most: 0 };
  const ended: boolean[] = [];
  const received: ReceivedSnapshot[] = [];
  const discarded: string[] = [];
  const fatal = vi.fn();
  const suspected = vi.fn();
  const disk = { isFull: false, freeBytes: 1_000, hasSpareRoom: true };
  const known = { hasSpareRoom: true };
  let images = 0;
  const receiver = new SnapshotReceiver({
    ...{ clock, limits: TREE_LIMITS, clusterId: "c", historyId: "h" },
    freeBytes: () => disk.freeBytes,
    hasSpareRoom: () => disk.hasSpareRoom,
    createImage: async () => {
      if (disk.isFull) throw new ServerError("STORAGE_FULL", "planned");
      images += 1;
      const directory = `peer-${images}`;
      return { image: await stores.open(`/data/${directory}`, { create: true }), directory };
    },
    discardImage: async (image, directory) => {
      discarded.push(directory);
      await image.close();
    },
    ack: (_to, transfer, sequence, ok) => {
      inFlight.now -= 1;
      if (!wire.loseAcks) sender.onAck(PEER, transfer, sequence, ok);
    },
    received: async (snapshot) => void received.push(snapshot),
    fatal,
  });
  const sender: SnapshotSender = new SnapshotSender(100, {
    ...{ clock, pieceBytes: 65_536 },
    hasSpareRoom: () => known.hasSpareRoom,
    image: () => image,
    send: (_to, envelope) => {
      if (envelope.kind !== "snapshotChunk") return;
      sent.push(envelope);
      inFlight.now += 1;
      inFlight.most = Math.max(inFlight.most, inFlight.now);
      const chunk = wire.alter(envelope);
      if (chunk !== null) receiver.onChunk(LEADER, chunk);
    },
    done: (_to, ok) => void ended.push(ok),
    suspected,
    unreadable: () => undefined,
  });
  const order: InstallSnapshot = {
    kind: "installSnapshot",
    from: LEADER,
    to: PEER,
    term: term(3),
    snapshot: metaAt(10),
  };
  return {
    ...{
      clock,
      tree,
      meta,
      image,
      wire,
      sent,
      inFlight,
      ended,
      received,
      discarded,
      fatal,
      suspected,
    },
    ...{ receiver, sender, order, disk, known },
  };
}

/** Until nothing moves any more: everything between the two is made of promises. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5000; turn += 1) await Promise.resolve();
}
