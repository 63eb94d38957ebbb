import type { Member, Membership, NodeId } from "@quorate/raft";
import { memberNamed } from "./formation.ts";

/** How far a peer's log has come, as the leader knows it. */
export interface PeerProgress {
  readonly id: NodeId;
  readonly matchIndex: number;
  readonly recentlyActive: boolean;
}

/** What the keeper sees and does; on a leader only. */
export interface MembershipView {
  readonly membership: Membership;
  readonly commitIndex: number;
  readonly changePending: boolean;
  readonly progress: readonly PeerProgress[];
}

/** A learner this close to the commit index may vote: it catches up within a blink. */
const PROMOTE_LAG_MAX = 200;
/** Requests kept; there are never more members than this. */
const REQUESTS_MAX = 16;

interface Request {
  readonly wanted: Member;
  /** Who had the name when it was asked for. */
  readonly present: NodeId | null;
}

/**
 * Takes nodes in again that lost their data: the old identity goes, the new one starts as a learner and becomes a voter
 * once it has caught up. Each step alters one voter, so any two memberships in a row share a majority.
 */
export class MembershipKeeper {
  readonly #requests = new Map<string, Request>();

  /**
   * A node asks, over a verified link, to come back under its name with a new identity, in place of `present`, which has
   * the name now.
   */
  request(wanted: Member, present: NodeId | null): void {
    const { name } = wanted;
    if (this.#requests.size >= REQUESTS_MAX && !this.#requests.has(name)) return;
    this.#requests.set(name, { wanted, present });
  }

  /** The next change to propose, or null. */
  next(view: MembershipView): Membership | null {
    if (view.changePending) return null;
    return this.#replacement(view) ?? promotion(view);
  }

  #replacement(view: MembershipView): Membership | null {
    const { membership } = view;
    for (const [name, request] of this.#requests) {
      const { wanted } = request;
      const present = memberNamed(membership, name);
      if (present === undefined || present.id !== request.present || present.id === wanted.id) {
        // It was taken in, or somebody else was since: the request is of the past.
        this.#requests.delete(name);
        continue;
      }
      // Whoever still speaks under the old identity has not lost anything; the last words of one who did fade away.
      if (view.progress.some((peer) => peer.id === present.id && peer.recentlyActive)) continue;
      const others = membership.members.filter((member) => member.name !== name);
      return {
        voters: membership.voters.filter((id) => id !== present.id),
        outgoingVoters: [],
        learners: [...membership.learners.filter((id) => id !== present.id), wanted.id],
        members: [...others, wanted].sort((a, b) => a.id - b.id),
      };
    }
    return null;
  }
}

function promotion(view: MembershipView): Membership | null {
  const { membership } = view;
  for (const id of membership.learners) {
    const peer = view.progress.find((progress) => progress.id === id);
    if (peer === undefined || !peer.recentlyActive) continue;
    if (peer.matchIndex + PROMOTE_LAG_MAX < view.commitIndex) continue;
    return {
      voters: [...membership.voters, id].sort((a, b) => a - b),
      outgoingVoters: [],
      learners: membership.learners.filter((learner) => learner !== id),
      members: membership.members,
    };
  }
  return null;
}
