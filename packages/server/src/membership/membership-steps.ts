import {
  isLearner,
  isVoter,
  type Member,
  type Membership,
  type NodeId,
  type Promotion,
} from "@quorate/raft";
import { assert } from "../assert.ts";
import { memberById } from "./formation.ts";

// Steps between memberships. None of them is joint: where one needs that, the core goes by way of a joint one.

/** `member` hears everything and decides nothing. */
export function withLearner(membership: Membership, member: Member): Membership {
  assert(memberById(membership, member.id) === undefined, "learner_is_new");
  return {
    voters: membership.voters,
    outgoingVoters: [],
    learners: [...membership.learners, member.id].sort(byNumber),
    members: [...membership.members, member].sort((a, b) => a.id - b.id),
  };
}

/** `id` has no part any more; whoever was to replace it is from now on to be what it was to be. */
export function withoutMember(membership: Membership, id: NodeId): Membership {
  const others = membership.members.filter((each) => each.id !== id);
  return {
    voters: membership.voters.filter((each) => each !== id),
    outgoingVoters: [],
    learners: membership.learners.filter((each) => each !== id),
    members: others.map((each) =>
      isToReplace(each, id) ? { ...each, promotion: inherited(membership, id, each) } : each,
    ),
  };
}

/** What is to become of whoever takes the place of `id`. */
export function heritage(membership: Membership, id: NodeId): Promotion {
  const promotion = memberById(membership, id)?.promotion;
  return promotion === undefined || isVoter(membership, id) ? { kind: "voter" } : promotion;
}

function inherited(membership: Membership, id: NodeId, heir: Member): Promotion {
  const promotion = heritage(membership, id);
  const isItsOwn = promotion.kind === "replacement" && promotion.of === heir.id;
  return isItsOwn ? { kind: "none" } : promotion;
}

/** `member` is to take the place of `id`. */
export function isToReplace({ promotion }: Member, id: NodeId): boolean {
  return promotion.kind === "replacement" && promotion.of === id;
}

/** `member` comes in the place of `id`, as a learner; whoever was to replace the one is to replace the other. */
export function withSuccessor(membership: Membership, id: NodeId, member: Member): Membership {
  const promotion = { kind: "replacement", of: member.id } as const;
  const members = membership.members.map((each) =>
    isToReplace(each, id) ? { ...each, promotion } : each,
  );
  return withLearner(withoutMember({ ...membership, members }, id), member);
}

/** What a member says of itself is replaced by `member`. */
export function withMember(membership: Membership, member: Member): Membership {
  const members = membership.members.map((each) => (each.id === member.id ? member : each));
  return { ...membership, members };
}

/**
 * The learner votes; if it is the replacement of a member, that one is gone. In the place of a learner it votes no sooner than
 * that one would have.
 */
export function promoted(membership: Membership, learner: Member): Membership {
  assert(isLearner(membership, learner.id), "only_learners_are_promoted");
  const { promotion } = learner;
  const replaced = promotion.kind === "replacement" ? promotion.of : null;
  const rest = replaced === null ? membership : withoutMember(membership, replaced);
  if (replaced !== null && isLearner(membership, replaced)) return rest;
  const voters = [...rest.voters, learner.id].sort(byNumber);
  const learners = rest.learners.filter((each) => each !== learner.id);
  const next = { ...rest, outgoingVoters: [], voters, learners };
  assert(isVoter(next, learner.id), "promoted_votes");
  return withMember(next, { ...learner, promotion: { kind: "none" } });
}

function byNumber(a: number, b: number): number {
  return a - b;
}
