import {
  logIndex,
  nodeId,
  term,
  type Member,
  type Membership,
  type NodeId,
  type SnapshotMeta,
} from "@quorate/raft";
import { createHash } from "node:crypto";
import { ServerError } from "../errors.ts";
import { encodeImageMeta, type ImageMeta } from "../image/image-meta.ts";
import { FORMATION_BYTES_MAX } from "../storage/identity.ts";

/** The largest that a node draws; it takes the most room. */
const NODE_ID_MAX = 2 ** 48 - 1;

/**
 * First meeting of an ensemble. Every configured member draws a node id once and keeps it before it tells anybody; when a
 * node knows the ids of all of them, the membership follows from that alone, so every node finds the same one and no vote
 * is needed. A node that lost its data draws another id and is thereby known as a stranger.
 */
export class Formation {
  readonly #names: readonly string[];
  readonly #known = new Map<string, Member>();

  /** `names`: the configured initial members. `self` is among them. */
  constructor(names: readonly string[], self: Member) {
    this.#names = [...names].sort();
    this.#known.set(self.name, self);
  }

  get names(): readonly string[] {
    return this.#names;
  }

  /** Who has not been heard of yet. */
  get missing(): readonly string[] {
    return this.#names.filter((name) => !this.#known.has(name));
  }

  /** False: the name is not expected here, or known under another id. */
  meet(member: Member): boolean {
    if (!this.#names.includes(member.name)) return false;
    const known = this.#known.get(member.name);
    if (known !== undefined) return known.id === member.id;
    this.#known.set(member.name, member);
    return true;
  }

  /** The membership, once everybody is known. */
  result(): SnapshotMeta | null {
    if (this.missing.length > 0) return null;
    const members = [...this.#known.values()].sort((a, b) => a.id - b.id);
    return {
      index: logIndex(0),
      term: term(0),
      membership: {
        voters: members.map((member) => member.id),
        outgoingVoters: [],
        learners: [],
        members,
      },
    };
  }
}

/** Names the ensemble that this formation founded: the same on all its members, another for any other set of ids. */
export function clusterIdOf(membership: Membership): string {
  const hash = createHash("sha256").update("quorate cluster");
  for (const member of membership.members) hash.update(`|${member.name}|${member.id}`);
  return hash.digest("hex").slice(0, 16);
}

/** What an identity keeps of a formation. Throws CONFIG_INVALID where that has no room for all names and addresses. */
export function encodeFormation(meta: ImageMeta): Uint8Array {
  const bytes = encodeImageMeta(meta);
  if (bytes.length <= FORMATION_BYTES_MAX) return bytes;
  throw new ServerError(
    "CONFIG_INVALID",
    `names and addresses of the members take ${bytes.length} bytes where a node keeps them, ` +
      `${FORMATION_BYTES_MAX} at most: give members fewer or shorter addresses`,
  );
}

/** Throws CONFIG_INVALID if {@link encodeFormation} would for what these come to, whatever ids they draw. */
export function checkFormation(configured: readonly Omit<Member, "id" | "promotion">[]): void {
  const members = configured.map(({ name, peerAddress, clientAddress }, at): Member => {
    const id = nodeId(NODE_ID_MAX - at);
    return { id, name, peerAddress, clientAddress, promotion: { kind: "none" } };
  });
  const voters = members.map(({ id }) => id);
  const membership = { voters, outgoingVoters: [], learners: [], members };
  const clusterId = clusterIdOf(membership);
  const snapshot = { index: logIndex(0), term: term(0), membership };
  encodeFormation({ clusterId, historyId: firstHistoryOf(clusterId), snapshot });
}

/** The history that an ensemble begins with. */
export function firstHistoryOf(clusterId: string): string {
  return `${clusterId}-1`;
}

/** The member with this name. */
export function memberNamed(membership: Membership, name: string): Member | undefined {
  return membership.members.find((member) => member.name === name);
}

/** The member with this id. */
export function memberById(membership: Membership, id: NodeId): Member | undefined {
  return membership.members.find((member) => member.id === id);
}
