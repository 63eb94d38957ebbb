import type { Membership, NodeId, TraceEvent } from "@quorate/raft";
import { AbstractLog } from "./abstract-log.ts";
import { isQuorum, type AbstractNode } from "./abstract-node.ts";

/** The entries of one term: who made them, where they begin and behind what, and how many there are. */
export interface TermLog {
  readonly leader: NodeId;
  start: number | null;
  precedingTerm: number;
  lastIndex: number;
}

/** An entry. */
interface Place {
  readonly index: number;
  readonly term: number;
}

/** What the disk of a node is forgiven. */
export interface Forgetting {
  /** The last that others may count on to be there: with it the node is as good as before. */
  readonly owed: Place;
  /** Term and vote are of an earlier moment too. */
  readonly withVotes: boolean;
  /** It has started since: from there on its disk is durable again. */
  isOver: boolean;
}

/**
 * What is demanded of nodes whose disks forgot what they had said to be durable: of the log's end, or everything since an
 * earlier moment. Raft stands on durable disks, and no node can tell by itself that its own is not. So it rests on the others:
 * nothing may be left of what such a node has promised that they do not vouch for. `mayForget`:
 *
 * 1. Its acknowledgements. All that is committed, and all that it has acknowledged to the leader of the newest term, is durable
 *    on voters that are a majority without it. So whoever is elected later, with the vote of this node or not, asks one of
 *    those; and whatever a leader counts on for this node's sake those have.
 * 2. Its votes. The newest term has a leader, all other voters are durably in it, and nobody stands for election in it. An
 *    older term can be won by nobody any more, with a second vote of this node or without. Nor can the newest: who did not lead
 *    it lacks what is committed in it, and so has a majority against it; and this node, if it did, lacks it too or stands in a
 *    later one.
 * 3. What it knows of the members. The membership is settled and no joint one, so that no earlier one counts. Whoever takes
 *    from a disk sees to it that what is left is not older than that.
 *
 * From there on the node is one that has heard nothing since that moment, as a slow link may cause, but for the leader that
 * believes to know how far it is. It finds out, or a later leader brings it up to date; then it is whole, and another one may
 * forget. All else stays as strict as it was, for this node too: what it has acknowledged since its start is durable again.
 *
 * Where 1 does not hold a disk that forgets loses what was acknowledged, in any Raft: of three voters the leader and this node
 * have an entry, the node forgets it, the leader is away, and the other two go on without.
 */
export class ForgivenLosses {
  readonly #nodes: ReadonlyMap<NodeId, AbstractNode>;
  readonly #terms: ReadonlyMap<number, TermLog>;
  /** Terms of all committed entries. */
  readonly #committed: readonly number[];

  constructor(
    nodes: ReadonlyMap<NodeId, AbstractNode>,
    terms: ReadonlyMap<number, TermLog>,
    committed: readonly number[],
  ) {
    this.#nodes = nodes;
    this.#terms = terms;
    this.#committed = committed;
  }

  /** The disk of that node may forget something now. */
  mayForget(id: NodeId): boolean {
    return this.#owed(id) !== null;
  }

  /**
   * Where it may forget: from now on its next start may find less than was durable, of the log's end or, `withVotes`, everything
   * as it was at some earlier moment. To be called before anything else happens.
   */
  forget(id: NodeId, withVotes: boolean): void {
    const node = this.#nodes.get(id);
    const owed = this.#owed(id);
    if (node === undefined || owed === null) throw new Error(`${id} may not forget anything now`);
    node.forgetting = { owed, withVotes, isOver: false };
  }

  /** It has forgotten nothing after all. */
  remember(id: NodeId): void {
    const node = this.#nodes.get(id);
    if (node !== undefined) node.forgetting = null;
  }

  /** It has never forgotten anything, or has it again. */
  isWhole(id: NodeId): boolean {
    const node = this.#nodes.get(id);
    const forgetting = node?.forgetting ?? null;
    if (node === undefined || forgetting === null) return true;
    const { owed, isOver } = forgetting;
    return isOver && node.disk.log.holds(owed.index, owed.term);
  }

  /**
   * Takes the start of a node that is forgiven: what it starts with its leaders have made, and term and vote are no more than it
   * had. Null: it is forgiven nothing.
   */
  start({ disk, forgetting }: AbstractNode, event: TraceEvent<"started">): boolean | null {
    if (forgetting === null || forgetting.isOver) return null;
    forgetting.isOver = true;
    const { term, votedFor } = event;
    if (forgetting.withVotes ? term > disk.termMax : !disk.mayHold(term, votedFor)) return false;
    const log = logEndingWith(this.#terms, event);
    if (log === null) return false;
    disk.turnBack(term, votedFor, log);
    return true;
  }

  /** Where the membership that is in force on a node stands. */
  membershipIndexOf(id: NodeId): number {
    return this.#nodes.get(id)?.membershipIndex ?? 0;
  }

  /** The memberships of the newest leader, and of those that are in one of them: each of them may count. */
  get memberships(): readonly Membership[] {
    const own = newestLeader(this.#nodes)?.memberships ?? [];
    const voters = own.flatMap(({ membership }) => [
      ...membership.voters,
      ...membership.outgoingVoters,
    ]);
    const placed = [...new Set(voters)].flatMap((id) => this.#nodes.get(id)?.memberships ?? []);
    return [...own, ...placed].map(({ membership }) => membership);
  }

  /** The last entry that others may count on to be there; null: it may not forget anything. */
  #owed(id: NodeId): Place | null {
    const nodes = this.#nodes;
    const committed = this.#committed;
    const node = nodes.get(id);
    const leader = newestLeader(nodes);
    if (node === undefined || leader === null || node.forgetting?.isOver === false) return null;
    const { term, membership, membershipIndex } = leader;
    const isJoint = membership.outgoingVoters.length > 0;
    const isSettled = membershipIndex <= leader.commitIndex && !isJoint;
    if (!isSettled || !membership.voters.includes(id)) return null;
    const others = membership.voters.filter((voter) => voter !== id);
    const areInTerm = others.every((voter) => {
      const other = nodes.get(voter);
      const isThere = other?.term === term && other.disk.term === term;
      return isThere && other.disk.termMax === term && other.role !== "candidate";
    });
    const isOpen = committed.at(-1) === term;
    if (!areInTerm || !isOpen || node.term > term || node.disk.termMax > term) return null;
    const acknowledged = node === leader ? 0 : (node.acknowledged.get(term) ?? 0);
    const index = Math.max(committed.length, acknowledged);
    const owed = { index, term: leader.log.termAt(index) ?? committed[index - 1] ?? 0 };
    const isHeld = isQuorum(membership, (voter) => {
      return voter !== id && nodes.get(voter)?.disk.log.holds(owed.index, owed.term) === true;
    });
    return isHeld ? owed : null;
  }
}

/** Of those that led last, also if it has gone since; null: nobody has yet. */
function newestLeader(nodes: ReadonlyMap<NodeId, AbstractNode>): AbstractNode | null {
  let newest: AbstractNode | null = null;
  for (const node of nodes.values()) {
    if (node.role === "leader" && node.term > (newest?.term ?? 0)) newest = node;
  }
  return newest;
}

/**
 * The log that ends with that entry, behind the image that it stands on: of one entry all before it follow (log matching). Null:
 * nobody ever made such a log.
 */
function logEndingWith(
  terms: ReadonlyMap<number, TermLog>,
  { imageIndex, imageTerm, lastIndex, lastTerm }: TraceEvent<"started">,
): AbstractLog | null {
  const ofEntries: number[] = [];
  let term: number = lastTerm;
  for (let index: number = lastIndex; index > imageIndex; index -= 1) {
    const made = terms.get(term);
    if (made?.start == null || index < made.start || index > made.lastIndex) return null;
    ofEntries.unshift(term);
    if (index === made.start) term = made.precedingTerm;
  }
  return new AbstractLog(imageIndex, imageTerm, ofEntries);
}
