import { decodeCommand, type DataTree } from "@quorate/kv-store";
import { zxid } from "@quorate/kv-store/protocol";
import type { Entry, Membership } from "@quorate/raft";
import type { ConfiguredMember } from "../config.ts";
import { ServerError } from "../errors.ts";
import { Checkpointer } from "../image/checkpointer.ts";
import { decodeImageMeta } from "../image/image-meta.ts";
import { SERVER_LIMITS } from "../limits.ts";
import { memberById } from "../membership/formation.ts";
import { NodeStorage, type OpenedStorage } from "../node-storage.ts";
import type { ImageStore, ServerPorts } from "../ports.ts";
import { loadIdentity, type Identity } from "../storage/identity.ts";
import { foundEnsemble, type FoundedEnsemble, type FoundingState } from "./found-ensemble.ts";
import { ImageWriter } from "./image-writer.ts";

/** What a stopped node has, committed or not. */
export interface NodeRemains {
  readonly name: string;
  readonly clusterId: string;
  readonly historyId: string;
  /** Of its last entry: of several survivors the one with the higher term, and then with the higher zxid, has more. */
  readonly term: number;
  readonly zxid: number;
  readonly znodes: number;
  readonly sessions: number;
  readonly digest: string;
  /** Names of those who voted, as it knows. */
  readonly voters: readonly string[];
}

/** Where a recovered node begins anew. */
export interface RecoveryTarget {
  readonly directory: string;
  /** Default: the name and the addresses that it had. */
  readonly member: ConfiguredMember | null;
}

const PAGE_COUNT = 1_000;
const PAGE_BYTES = 1_048_576;

/**
 * Reads everything that a stopped node has: its image, and every entry of its log, of which nobody can say any more whether
 * it was committed. Rejects with a `ServerError`: IDENTITY_LOST where there is no node, STORAGE_LOCKED while it runs,
 * LOG_CORRUPT or IMAGE_CORRUPT for what is damaged.
 */
export function inspectNode(ports: ServerPorts, directory: string): Promise<NodeRemains> {
  return withNode(ports, directory, async (node) => node.remains);
}

/**
 * Founds an ensemble of one node on what a stopped one has, under a new history: for when a majority is lost for good. What
 * the others had acknowledged and this node never received is lost. The node's own directory keeps what it holds. Rejects
 * with what {@link inspectNode} does, with DIRECTORY_IN_USE, STORAGE_FAILED and STORAGE_FULL.
 */
export function recoverNode(
  ports: ServerPorts,
  directory: string,
  { directory: target, member }: RecoveryTarget,
): Promise<FoundedEnsemble> {
  return withNode(ports, directory, (node) =>
    foundEnsemble(ports, {
      directory: target,
      member: member ?? node.member,
      fill: (image) => copyNode(ports, node, image),
    }),
  );
}

/** A stopped node, opened, with everything in its log applied. */
interface OpenedNode {
  readonly opened: OpenedStorage;
  readonly state: FoundingState;
  readonly member: ConfiguredMember;
  readonly remains: NodeRemains;
}

async function withNode<T>(
  ports: ServerPorts,
  directory: string,
  use: (node: OpenedNode) => Promise<T>,
): Promise<T> {
  const identity = await loadIdentity(ports.files, directory);
  if (identity === null) {
    throw new ServerError("IDENTITY_LOST", `${directory} is no node's data directory`);
  }
  try {
    const { formation, limits } = identity.current;
    if (formation === null || limits === null) {
      throw new ServerError("IDENTITY_LOST", `${directory} never was part of an ensemble`);
    }
    const opened = await NodeStorage.open(ports, directory, identity, {
      formation: decodeImageMeta(formation).snapshot,
      limits: { ...SERVER_LIMITS.tree, ...limits },
      segmentBytes: SERVER_LIMITS.storage.segmentBytes,
    });
    try {
      return await use(applied(opened, identity.current));
    } finally {
      await opened.storage.close();
    }
  } finally {
    await identity.close();
  }
}

function applied(opened: OpenedStorage, identity: Identity): OpenedNode {
  const { tree, initial } = opened;
  let { index, term, membership } = initial.snapshot;
  for (const entry of initial.entries) {
    applyEntry(tree, entry);
    ({ index, term } = entry);
    if (entry.kind === "config") ({ membership } = entry);
  }
  const { name, clusterId, historyId } = identity;
  const counts = { znodes: tree.nodeCount, sessions: tree.sessionCount, digest: tree.digest() };
  return {
    opened,
    state: { tree, index, term, clusterId },
    member: memberOf(membership, identity),
    remains: {
      name,
      clusterId,
      historyId,
      term,
      zxid: index,
      ...counts,
      voters: votersOf(membership),
    },
  };
}

function applyEntry(tree: DataTree, entry: Entry): void {
  if (entry.kind !== "command") {
    tree.skipTo(zxid(entry.index));
    return;
  }
  const { stamp, command } = decodeCommand(entry.data);
  tree.apply(zxid(entry.index), entry.term, stamp, command);
}

function memberOf(membership: Membership, { nodeId, name }: Identity): ConfiguredMember {
  const known = memberById(membership, nodeId);
  return {
    name,
    peerAddress: known?.peerAddress ?? "",
    clientAddress: known?.clientAddress ?? "",
  };
}

function votersOf(membership: Membership): readonly string[] {
  const { voters } = membership;
  return voters.map((id) => memberById(membership, id)?.name ?? String(id)).sort();
}

/** The image as it is, and then what the log has made of it since. */
async function copyNode(
  ports: ServerPorts,
  { opened, state, remains }: OpenedNode,
  image: ImageStore,
): Promise<FoundingState> {
  const writer = new ImageWriter(image);
  const view = opened.storage.image.view();
  try {
    for (;;) {
      const page = await view.next(PAGE_COUNT, PAGE_BYTES);
      if (page.length === 0) break;
      await writer.add(page);
    }
  } finally {
    await view.close();
  }
  await writer.finish();
  const { clusterId, historyId } = remains;
  const checkpointer = new Checkpointer({ clock: ports.clock, clusterId, historyId });
  const { index, term } = state;
  const { membership } = opened.initial.snapshot;
  await checkpointer.run(state.tree, image, { index, term, membership });
  return state;
}
