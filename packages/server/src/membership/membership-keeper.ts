import {
  isVoter,
  membersMax,
  type Member,
  type Membership,
  type NodeId,
  type PeerStatus,
  type Term,
} from "@quorate/raft";
import { reached } from "../points.ts";
import { memberById, memberNamed } from "./formation.ts";
import { ASKING_MS, Invitations, type InvitationEnd } from "./invitations.ts";
import type { JoinRequest } from "./join-request.ts";
import { heritage, promoted, withLearner, withSuccessor } from "./membership-steps.ts";
import { losesQuorum } from "./tolerance.ts";

/** What a leader knows of the membership. */
export interface MembershipView {
  readonly self: NodeId;
  readonly term: Term;
  readonly membership: Membership;
  readonly commitIndex: number;
  readonly changePending: boolean;
  readonly peers: readonly Pick<PeerStatus, "id" | "matchIndex" | "recentlyActive">[];
  readonly nowMs: number;
}

/** True for who is heard of now, as the leader sees it. */
export function isActiveIn({ self, peers }: MembershipView): (id: NodeId) => boolean {
  return (id) => id === self || peers.some((peer) => peer.id === id && peer.recentlyActive);
}

/** Requests kept; there are never more members than this. */
const REQUESTS_MAX = 16;

interface Rejoin {
  readonly wanted: Member;
  /** Who had the name when it was asked for. */
  readonly present: NodeId | null;
  /** Who asks no more may be back under its old identity. */
  readonly untilMs: number;
}

/**
 * Sees to the changes of the membership that go on by themselves: who was invited and comes is taken in, who lost its data
 * comes back in the place of its old identity, and who has caught up votes, or takes a learner's place. Everybody begins as a learner. What a learner
 * becomes is part of the membership, so it does not matter who leads meanwhile.
 */
export class MembershipKeeper {
  readonly invitations: Invitations;
  readonly #rejoins = new Map<string, Rejoin>();
  readonly #silenceMs: number;
  /** What was committed at the last look of this term, and when the first one was. */
  #looked: {
    readonly term: Term;
    readonly commitIndex: number;
    readonly sinceMs: number;
  } | null = null;

  /**
   * `silenceMs`: who has not been heard of for so long by a leader has fallen silent, and nobody sooner. `onInvitationEnd` is told
   * of invitations that end by themselves.
   */
  constructor(silenceMs: number, onInvitationEnd?: (name: string, end: InvitationEnd) => void) {
    this.#silenceMs = silenceMs;
    this.invitations = new Invitations(onInvitationEnd);
  }

  /** A node asks to be taken in; heard over a verified link or from a member that heard it. */
  onRequest({ kind, member }: JoinRequest, membership: Membership, nowMs: number): void {
    if (memberById(membership, member.id) !== undefined) return;
    if (kind === "join") {
      this.invitations.onAsked(member, nowMs);
      return;
    }
    const { name } = member;
    this.#forgetRejoins(nowMs);
    if (this.#rejoins.size >= REQUESTS_MAX && !this.#rejoins.has(name)) return;
    const present = memberNamed(membership, name)?.id ?? null;
    this.#rejoins.set(name, { wanted: member, present, untilMs: nowMs + ASKING_MS });
  }

  /** Whoever is a member has what it asked for: should it be taken out again, its words from before must not bring it back. */
  onApplied({ members }: Membership): void {
    for (const { name } of members) this.invitations.withdraw(name);
  }

  /** The next change to propose, or null. Called by a leader, again and again, once its invitations know its term. */
  next(view: MembershipView): Membership | null {
    const caughtUpAt = this.#look(view);
    if (view.changePending) {
      reached("membership_waits_for_change_under_way");
      return null;
    }
    return this.#rejoined(view) ?? this.#joined(view) ?? promotion(view, caughtUpAt);
  }

  /**
   * The index that a learner must have reached: it then has all that was committed at the look before, so it is no further
   * behind than the time between two looks, whatever the load (Raft thesis, section 4.2.1).
   */
  #look({ term, commitIndex, nowMs }: MembershipView): number {
    const before = this.#looked?.term === term ? this.#looked : null;
    this.#looked = { term, commitIndex, sinceMs: before?.sinceMs ?? nowMs };
    return before?.commitIndex ?? Infinity;
  }

  #rejoined(view: MembershipView): Membership | null {
    const { membership } = view;
    const isActive = isActiveIn(view);
    this.#forgetRejoins(view.nowMs);
    for (const [name, { wanted, present: asked }] of this.#rejoins) {
      const present = memberNamed(membership, name);
      if (present === undefined || present.id !== asked || present.id === wanted.id) {
        reached("request_to_come_back_of_the_past");
        // It was taken in, or somebody else was since: the request is of the past.
        this.#rejoins.delete(name);
        continue;
      }
      // Whoever still speaks under the old identity has not lost anything; the last words of one who did fade away. And a
      // leader that has just begun has heard of nobody yet.
      const isNew = view.nowMs - (this.#looked?.sinceMs ?? view.nowMs) < this.#silenceMs;
      if (isNew || isActive(present.id)) {
        reached("old_identity_still_heard_of");
        continue;
      }
      reached("lost_identity_replaced");
      const becomes = heritage(membership, present.id);
      return withSuccessor(membership, present.id, { ...wanted, promotion: becomes });
    }
    return null;
  }

  #forgetRejoins(nowMs: number): void {
    for (const [name, { untilMs }] of this.#rejoins) {
      if (untilMs <= nowMs) this.#rejoins.delete(name);
    }
  }

  #joined(view: MembershipView): Membership | null {
    const { membership, nowMs } = view;
    if (membership.members.length >= membersMax) return null;
    for (const member of this.invitations.welcome(membership, nowMs)) {
      if (memberNamed(membership, member.name) !== undefined) continue;
      if (memberById(membership, member.id) !== undefined) continue;
      reached("newcomer_becomes_learner");
      return withLearner(membership, member);
    }
    return null;
  }
}

function promotion(view: MembershipView, caughtUpAt: number): Membership | null {
  const { membership, peers } = view;
  for (const id of membership.learners) {
    const learner = memberById(membership, id);
    if (learner === undefined || learner.promotion.kind === "none") continue;
    const peer = peers.find((progress) => progress.id === id);
    if (peer === undefined || !peer.recentlyActive || peer.matchIndex < caughtUpAt) {
      reached("learner_not_caught_up");
      continue;
    }
    const next = promoted(membership, learner);
    if (!losesQuorum(next, isActiveIn(view))) {
      if (isVoter(next, id)) reached("learner_becomes_voter");
      return next;
    }
    reached("promotion_would_lose_the_quorum");
  }
  return null;
}
