import type { DataTree } from "@quorate/kv-store";
import { zxid } from "@quorate/kv-store/protocol";
import {
  logIndex,
  term,
  validateMembership,
  type LogIndex,
  type Membership,
  type NodeId,
  type SnapshotMeta,
  type Term,
} from "@quorate/raft";
import { assert } from "../assert.ts";
import type { ConfiguredMember } from "../config.ts";
import { ServerError } from "../errors.ts";
import { Checkpointer } from "../image/checkpointer.ts";
import { loadImage } from "../image/image-loader.ts";
import { encodeImageMeta, type ImageMeta } from "../image/image-meta.ts";
import { drawNodeId } from "../node-storage.ts";
import type { ImageStore, ServerPorts } from "../ports.ts";
import { replicatedLimits, type ReplicatedLimits } from "../replicated-limits.ts";
import { IMAGE_PREFIX } from "../storage/data-directory.ts";
import { createIdentity, newIdentity } from "../storage/identity.ts";
import { TAG_BYTES } from "../storage/log-format.ts";
import { makeDataDirectory, refuseUsed } from "../storage/make-data-directory.ts";

/** What a new ensemble begins with. */
export interface FoundingState {
  /** As of `index`; its records are in the image. */
  readonly tree: DataTree;
  readonly index: LogIndex;
  readonly term: Term;
  /** Of the ensemble that the state comes from; kept, so that people know it again. */
  readonly clusterId: string;
}

export interface FoundingOptions {
  /** A new data directory: it must not exist, or be empty. */
  readonly directory: string;
  /** The only member; others join it. */
  readonly member: ConfiguredMember;
  /** Writes every record of the state but the one that says what it stands for. */
  fill(image: ImageStore): Promise<FoundingState>;
}

/** An ensemble of one node, ready to be started and to be joined by others. */
export interface FoundedEnsemble {
  readonly directory: string;
  readonly name: string;
  readonly nodeId: NodeId;
  readonly clusterId: string;
  /** Nobody has ever had this one: nodes and clients of before are told apart by it. */
  readonly historyId: string;
  readonly zxid: number;
  readonly znodes: number;
  readonly sessions: number;
  readonly digest: string;
  /** Those of the state: every server of the ensemble has to be started with them. */
  readonly limits: ReplicatedLimits;
}

const IMAGE = `${IMAGE_PREFIX}1`;

/**
 * A new history begins beyond every revision that may have been given out before it, perhaps as a fencing token: by what its own
 * state no longer tells of, and by whatever else was founded on the same state. Nobody knows how many those are, but no ensemble
 * writes a million times a second; so what begins with so many for each of all seconds is beyond all that began like it before.
 */
const REVISIONS_PER_MS = 1_000;

/**
 * The years 2020 and 2100: a clock that shows another time says nothing. Later ones would leave too little of what the core takes
 * for an index (below 2^52).
 */
const CLOCK_MS_MIN = 1_577_836_800_000;
const CLOCK_MS_MAX = 4_102_444_800_000;

/**
 * How far it begins beyond its own state where the clock is of no use, or shows a time before that state's: at a hundred thousand
 * writes a second so many take four months.
 */
const REVISIONS_SKIPPED = 1_000_000_000_000;

/**
 * Makes the data directory of a node that is an ensemble by itself and begins with a state from elsewhere, under a new
 * history. The identity comes last: what is left of an attempt that broke off is no node. Rejects with a `ServerError`:
 * DIRECTORY_IN_USE, CONFIG_INVALID where the directory can be none, and what reading the state rejects with; the directory is
 * then as it was.
 */
export async function foundEnsemble(
  ports: ServerPorts,
  options: FoundingOptions,
): Promise<FoundedEnsemble> {
  const { directory, member } = options;
  await makeDataDirectory(ports.files, directory);
  await refuseUsed(ports.files, directory);
  const path = `${directory}/${IMAGE}`;
  try {
    const image = await ports.images.open(path, { create: true });
    try {
      const state = begun(await options.fill(image), ports.wallClock.nowMs());
      const meta = newHistory(ports, member, state);
      await complete(ports, image, meta, state);
      await ports.files.syncDirectory(directory);
      await establish(ports, directory, { member, meta, state });
      return foundedOf(directory, member, meta, state);
    } finally {
      await image.close();
    }
  } catch (error) {
    await ports.files.remove(path);
    throw error;
  }
}

/** The same state, later than all that was before. */
function begun(
  { tree, index: before, term: stateTerm, clusterId }: FoundingState,
  nowMs: number,
): FoundingState {
  const index = logIndex(laterThan(before, nowMs));
  assert(index > before, "founded_later_than_its_state");
  tree.skipTo(zxid(index));
  return { tree, index, term: stateTerm, clusterId };
}

function laterThan(before: LogIndex, nowMs: number): number {
  const isOfUse = nowMs >= CLOCK_MS_MIN && nowMs < CLOCK_MS_MAX;
  const byClock = isOfUse ? Math.floor(nowMs) * REVISIONS_PER_MS : 0;
  return byClock > before ? byClock : before + REVISIONS_SKIPPED;
}

/** The same state in another history, whose only member nobody has met. */
function newHistory(
  ports: ServerPorts,
  { name, peerAddress, clientAddress }: ConfiguredMember,
  state: FoundingState,
): ImageMeta {
  const id = drawNodeId(ports.random.bytes(6));
  const membership: Membership = {
    voters: [id],
    outgoingVoters: [],
    learners: [],
    members: [{ id, name, peerAddress, clientAddress, promotion: { kind: "none" } }],
  };
  assert(validateMembership(membership) === null, "founding_membership_is_valid");
  const { index, term: stateTerm, clusterId } = state;
  const historyId = `${clusterId}-${Buffer.from(ports.random.bytes(6)).toString("hex")}`;
  return { clusterId, historyId, snapshot: { index, term: stateTerm, membership } };
}

/** What was written is read back whole: it is all that the new ensemble will have. */
async function complete(
  ports: ServerPorts,
  image: ImageStore,
  meta: ImageMeta,
  { tree }: FoundingState,
): Promise<void> {
  const { clusterId, historyId, snapshot } = meta;
  await new Checkpointer({ clock: ports.clock, clusterId, historyId }).run(tree, image, snapshot);
  const written = await loadImage(image, null, ports.clock);
  if (written.tree.digest() === tree.digest()) return;
  throw new ServerError("STORAGE_FAILED", "what was written reads back as something else");
}

async function establish(
  ports: ServerPorts,
  directory: string,
  parts: {
    readonly member: ConfiguredMember;
    readonly meta: ImageMeta;
    readonly state: FoundingState;
  },
): Promise<void> {
  const { clusterId, historyId, snapshot } = parts.meta;
  const [id] = snapshot.membership.voters;
  assert(id !== undefined, "founding_membership_has_a_voter");
  // What nodes that join begin with: they have nothing yet, whatever the image stands for.
  const formation: SnapshotMeta = { ...snapshot, index: logIndex(0), term: term(0) };
  const { name } = parts.member;
  const logTag = ports.random.bytes(TAG_BYTES);
  const identity = await createIdentity(ports.files, directory, {
    ...newIdentity({ nodeId: id, name, logTag }),
    clusterId,
    historyId,
    formation: encodeImageMeta({ clusterId, historyId, snapshot: formation }),
    limits: replicatedLimits(parts.state.tree.limits),
    hardState: { term: snapshot.term, votedFor: null },
    image: IMAGE,
  });
  await identity.close();
}

function foundedOf(
  directory: string,
  { name }: ConfiguredMember,
  { clusterId, historyId, snapshot }: ImageMeta,
  { tree }: FoundingState,
): FoundedEnsemble {
  const [id] = snapshot.membership.voters;
  assert(id !== undefined, "founding_membership_has_a_voter");
  return {
    directory,
    name,
    nodeId: id,
    clusterId,
    historyId,
    zxid: snapshot.index,
    znodes: tree.nodeCount,
    sessions: tree.sessionCount,
    digest: tree.digest(),
    limits: replicatedLimits(tree.limits),
  };
}
