import { isVoter, type Membership, type NodeId, type Role, type TraceEvent } from "@quorate/raft";
import { AbstractDisk } from "./abstract-disk.ts";
import { AbstractLog } from "./abstract-log.ts";
import type { Forgetting } from "./forgiven-losses.ts";

/** A membership and where it stands. */
export interface PlacedMembership {
  readonly index: number;
  readonly membership: Membership;
}

const nobody: Membership = { voters: [], outgoingVoters: [], learners: [], members: [] };

/** One node as the specification sees it: what its disk keeps, and what its present life has in memory. */
export class AbstractNode {
  readonly id: NodeId;
  readonly disk = new AbstractDisk();
  /** Null: its disk has everything that it ever made durable. */
  forgetting: Forgetting | null = null;
  /** It was seen before. */
  isKnown = false;
  term = 0;
  votedFor: NodeId | null = null;
  role: Role = "follower";
  log = new AbstractLog();
  /** Up to here its log is known to be the leader's. */
  matchedIndex = 0;
  /** How far the leader of each term was told so, whatever life of this node told it. */
  readonly acknowledged = new Map<number, number>();
  commitIndex = 0;
  handedIndex = 0;
  appliedIndex = 0;
  /** Where the entries of the term it leads begin; null until it has appended the first. */
  termStart: number | null = null;
  /** Who answered it in its present campaign, and how. */
  readonly answers = new Map<NodeId, boolean>();
  /** From the last one that is settled on; the newest is in force. */
  memberships: PlacedMembership[] = [];

  constructor(id: NodeId) {
    this.id = id;
  }

  get membership(): Membership {
    return this.memberships.at(-1)?.membership ?? nobody;
  }

  get membershipIndex(): number {
    return this.memberships.at(-1)?.index ?? 0;
  }

  /** It votes in the membership in force, or in one that may come back into force. */
  get isVoterSomewhere(): boolean {
    return this.memberships.some(({ membership }) => isVoter(membership, this.id));
  }

  /** As far as a leader of its term may tell it what is committed: beyond, its log may hold something else. */
  get comparedIndex(): number {
    return Math.max(this.matchedIndex, this.acknowledged.get(this.term) ?? 0);
  }

  /** Memory as a start leaves it; the disk has been settled. */
  begin(event: TraceEvent<"started">): void {
    this.isKnown = true;
    this.term = event.term;
    this.votedFor = event.votedFor;
    this.role = "follower";
    this.log = this.disk.log.standingOn(event.imageIndex, event.imageTerm);
    this.commitIndex = event.imageIndex;
    this.handedIndex = event.imageIndex;
    this.appliedIndex = event.imageIndex;
    this.termStart = null;
    this.matchedIndex = 0;
    this.answers.clear();
    this.memberships = [];
  }
}

/** A majority of the voters, and of the outgoing ones where there are any, is in `of`. */
export function isQuorum(membership: Membership, of: (id: NodeId) => boolean): boolean {
  const isMajority = (ids: readonly NodeId[]): boolean => ids.filter(of).length * 2 > ids.length;
  const { voters, outgoingVoters } = membership;
  return isMajority(voters) && (outgoingVoters.length === 0 || isMajority(outgoingVoters));
}
