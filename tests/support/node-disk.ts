import { DataTree, TREE_LIMITS } from "@quorate/kv-store";
import { zxid } from "@quorate/kv-store/protocol";
import {
  logIndex,
  nodeId,
  term,
  type Entry,
  type HardState,
  type SnapshotMeta,
} from "@quorate/raft";
import { Checkpointer } from "../../packages/server/src/image/checkpointer.ts";
import type { ReceivedSnapshot } from "../../packages/server/src/image/snapshot-receiver.ts";
import { ManualClock } from "../../packages/server/src/memory/manual-clock.ts";
import { ManualWallClock } from "../../packages/server/src/memory/manual-wall-clock.ts";
import { MemoryFiles } from "../../packages/server/src/memory/memory-files.ts";
import { MemoryImageStores } from "../../packages/server/src/memory/memory-image-stores.ts";
import { SeededRandom } from "../../packages/server/src/memory/seeded-random.ts";
import { NodeStorage, openIdentity } from "../../packages/server/src/node-storage.ts";
import { createMemoryLogger } from "../../packages/server/src/observe/logger.ts";
import type { ImageStore, ServerPorts, Transport } from "../../packages/server/src/ports.ts";
import { encodeEntries } from "../../packages/server/src/storage/entry-codec.ts";
import type { IdentityFile } from "../../packages/server/src/storage/identity.ts";
import { loneMembership } from "./members.ts";

/** Of the node's data. */
export const DIRECTORY = "/data/one";
/** Of a snapshot that is received, unless said otherwise. */
export const SNAPSHOT_INDEX = 50;
/** A log beyond this is not kept for a peer. */
export const PINNED_BYTES = 4_000_000;
/** Of ensemble and history. */
export const IDS = { clusterId: "c", historyId: "h" };
/** What every write says. */
export const HARD_STATE: HardState = { term: term(2), votedFor: null };

/** Ends its turns by itself. */
export class NodeClock extends ManualClock {
  override endOfTurn(callback: () => void): void {
    queueMicrotask(callback);
  }
}

/** A snapshot that ends at an index. */
export function metaAt(index: number): SnapshotMeta {
  return {
    index: logIndex(index),
    term: term(index === 0 ? 0 : 2),
    membership: loneMembership(5),
  };
}

/** A disk in memory. */
export interface NodeDisk {
  readonly files: MemoryFiles;
  readonly images: MemoryImageStores;
  /** Of the nodes that are opened on it. */
  readonly logger: ReturnType<typeof createMemoryLogger>;
}

/** An empty one. */
export function newDisk(seed = 1): NodeDisk {
  const files = new MemoryFiles({ seed });
  return { files, images: new MemoryImageStores(files), logger: createMemoryLogger() };
}

/** Of a node on that disk. */
export function portsOf(disk: NodeDisk): ServerPorts {
  return {
    ...disk,
    clock: new NodeClock(),
    wallClock: new ManualWallClock(0),
    random: new SeededRandom(7),
    transport: null as unknown as Transport,
  };
}

/** What a node starts from, and who it is. */
export interface OpenedNode extends Awaited<ReturnType<typeof NodeStorage.open>> {
  readonly identity: IdentityFile;
}

/** Opens what is on a disk, as a start does. */
export async function openNode(disk: NodeDisk): Promise<OpenedNode> {
  const ports = portsOf(disk);
  await ports.files.makeDirectory(DIRECTORY);
  const identity = await openIdentity(ports, DIRECTORY, "one");
  await identity.update(IDS);
  try {
    const opened = await NodeStorage.open(ports, DIRECTORY, identity, {
      formation: metaAt(0),
      limits: TREE_LIMITS,
      segmentBytes: 65_536,
      pinnedBytesMax: PINNED_BYTES,
      logger: disk.logger,
    });
    return { ...opened, identity };
  } catch (error) {
    await identity.close();
    throw error;
  }
}

/** Closes all of it. */
export async function closeNode({ storage, identity }: OpenedNode): Promise<void> {
  await storage.close();
  await identity.close();
}

/** No-ops with these indexes. */
export const entries = (from: number, to: number): readonly Entry[] =>
  Array.from({ length: to - from + 1 }, (_, at) => ({
    kind: "noop",
    term: term(2),
    index: logIndex(from + at),
  }));

let seq = 0;

/** As the core's work would be. */
export function persist(
  storage: NodeStorage,
  list: readonly Entry[],
  snapshot: SnapshotMeta | null = null,
): Promise<void> {
  seq += 1;
  const work = { ticket: { seq }, hardState: HARD_STATE, entries: list, snapshot };
  return storage.persist(work, encodeEntries(list));
}

/** One after the other. */
export async function persistCommands(
  storage: NodeStorage,
  from: number,
  to: number,
  bytes: number,
): Promise<void> {
  const data = new Uint8Array(bytes);
  for (let at = from; at <= to; at += 1) {
    await persist(storage, [{ kind: "command", term: term(2), index: logIndex(at), data }]);
  }
}

/** The state machine stands at an index, and then its image does. */
export async function checkpoint(tree: DataTree, image: ImageStore, index: number, ids = IDS) {
  tree.skipTo(zxid(index));
  await new Checkpointer({ clock: new NodeClock(), ...ids }).run(tree, image, metaAt(index));
}

/** A snapshot as the receiver hands it over: durable, not in force. */
export async function receive(
  storage: NodeStorage,
  index = SNAPSHOT_INDEX,
): Promise<ReceivedSnapshot> {
  const meta = metaAt(index);
  const { image, directory } = await storage.createImage();
  const tree = new DataTree(TREE_LIMITS);
  await checkpoint(tree, image, index);
  const message = {
    kind: "installSnapshot",
    from: nodeId(6),
    to: nodeId(5),
    term: term(2),
    snapshot: meta,
  } as const;
  return { meta, message, tree, image, directory };
}

/** Runs `work` until the step with this number, then cuts the power; the disk as it is found afterwards. */
export async function crashDuring(
  disk: NodeDisk,
  cutAt: number,
  work: () => Promise<void>,
): Promise<NodeDisk> {
  let steps = 0;
  const cut = new Promise<MemoryFiles>((resolve) => {
    disk.files.setOnStep(() => {
      steps += 1;
      if (steps === cutAt) resolve(disk.files.crash());
      return null;
    });
    void work().then(
      () => resolve(disk.files.crash()),
      () => resolve(disk.files.crash()),
    );
  });
  const files = await cut;
  files.setOnStep(null);
  return { files, images: disk.images.afterCrash(files), logger: disk.logger };
}
