import { decodeCommand, type DataTree } from "@quorate/kv-store";
import { zxid } from "@quorate/kv-store/protocol";
import type { Entry, Membership } from "@quorate/raft";
import type { ConfiguredMember } from "../config.ts";
import { ServerError, isDamage } from "../errors.ts";
import { Checkpointer } from "../image/checkpointer.ts";
import { memberById } from "../membership/formation.ts";
import type { ImageStore, ServerPorts } from "../ports.ts";
import type { Identity } from "../storage/identity.ts";
import { readIdentity, type FormedIdentity } from "../storage/read-identity.ts";
import { foundEnsemble, type FoundedEnsemble, type FoundingState } from "./found-ensemble.ts";
import { ImageWriter } from "./image-writer.ts";
import { pieceIdentity } from "./pieced-identity.ts";
import { salvage, type Salvage } from "./salvage.ts";

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
  /** What is wrong with its image, for which the log makes up; null where it is whole. */
  readonly imageDamage: string | null;
  /** Why it may be less than what the node had acknowledged: damage, an older copy. Empty where everything is whole. */
  readonly losses: readonly string[];
}

/** Where a recovered node begins anew. */
export interface RecoveryTarget {
  readonly directory: string;
  /** Default: the name and the addresses that it had. */
  readonly member: ConfiguredMember | null;
  /** Take what is left although there may have been more. Default: no. */
  readonly incomplete?: boolean;
}

const PAGE_COUNT = 1_000;
const PAGE_BYTES = 1_048_576;

/**
 * Reads everything that a stopped node has: its image, and every entry of its log up to where that is whole, of which nobody
 * can say any more whether it was committed. Rejects with a `ServerError`: NOTHING_STORED where there is no node, STORAGE_LOCKED
 * while it runs, IDENTITY_DAMAGED or IMAGE_CORRUPT where the damage leaves nothing: without an identity a whole image is needed.
 */
export function inspectNode(ports: ServerPorts, directory: string): Promise<NodeRemains> {
  return withNode(ports, directory, async (node) => node.remains);
}

/**
 * Founds an ensemble of one node on what a stopped one has, under a new history: for when a majority is lost for good. What
 * the others had acknowledged and this node never received is lost. The node's own directory keeps what it holds. Rejects
 * with what {@link inspectNode} does, with LOG_CORRUPT where {@link NodeRemains.losses} are not accepted, with DIRECTORY_IN_USE,
 * CONFIG_INVALID where the target can be no directory, STORAGE_FAILED and STORAGE_FULL.
 */
export function recoverNode(
  ports: ServerPorts,
  directory: string,
  { directory: target, member, incomplete = false }: RecoveryTarget,
): Promise<FoundedEnsemble> {
  return withNode(ports, directory, (node) => {
    const { losses } = node.remains;
    if (losses.length > 0 && !incomplete) throw new ServerError("LOG_CORRUPT", losses.join("; "));
    return foundEnsemble(ports, {
      directory: target,
      member: member ?? node.member,
      fill: (image) => copyNode(ports, node, image),
    });
  });
}

/** A stopped node, opened, with everything in its log applied. */
interface OpenedNode {
  readonly salvaged: Salvage;
  readonly state: FoundingState;
  readonly member: ConfiguredMember;
  readonly remains: NodeRemains;
}

async function withNode<T>(
  ports: ServerPorts,
  directory: string,
  use: (node: OpenedNode) => Promise<T>,
): Promise<T> {
  const { identity, losses } = await identityOf(ports, directory);
  const salvaged = await salvage(ports, directory, identity);
  try {
    const node = applied(salvaged, identity);
    const remains = { ...node.remains, losses: [...losses, ...node.remains.losses] };
    return await use({ ...node, remains });
  } finally {
    await salvaged.close();
  }
}

/** As it stands, or, with a loss, as it can be told from the rest. */
async function identityOf(
  ports: ServerPorts,
  directory: string,
): Promise<{ readonly identity: FormedIdentity; readonly losses: readonly string[] }> {
  try {
    return { identity: await readIdentity(ports.files, directory), losses: [] };
  } catch (error) {
    if (!isDamage(error)) throw error;
    const identity = await pieceIdentity(ports, directory, error);
    return { identity, losses: [`${error.text}: ${PIECED}`] };
  }
}

const PIECED =
  "whose the data are was taken from image and log, and nobody knows whether the node had held more than they do";

function applied(salvaged: Salvage, identity: Identity): OpenedNode {
  const { tree, base, entries, imageDamage, losses } = salvaged;
  let { index, term, membership } = base;
  for (const entry of entries) {
    applyEntry(tree, entry);
    ({ index, term } = entry);
    if (entry.kind === "config") ({ membership } = entry);
  }
  const { name, clusterId, historyId } = identity;
  const counts = { znodes: tree.nodeCount, sessions: tree.sessionCount, digest: tree.digest() };
  return {
    salvaged,
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
      imageDamage,
      losses,
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
  { salvaged, state, remains }: OpenedNode,
  image: ImageStore,
): Promise<FoundingState> {
  if (salvaged.image !== null) await copyImage(salvaged.image, image);
  const { clusterId, historyId } = remains;
  const checkpointer = new Checkpointer({ clock: ports.clock, clusterId, historyId });
  const { index, term } = state;
  const { membership } = salvaged.base;
  await checkpointer.run(state.tree, image, { index, term, membership });
  return state;
}

async function copyImage(from: ImageStore, to: ImageStore): Promise<void> {
  const writer = new ImageWriter(to);
  const view = from.view();
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
}
