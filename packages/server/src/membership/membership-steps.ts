import { isLearner, isVoter, type Member, type Membership, type NodeId } from "@quorate/raft";
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

/** `id` has no part any more. */
export function withoutMember(membership: Membership, id: NodeId): Membership {
  return {
    voters: membership.voters.filter((each) => each !== id),
    outgoingVoters: [],
    learners: membership.learners.filter((each) => each !== id),
    members: membership.members.filter((each) => each.id !== id),
  };
}

/** `member` comes in the place of `id`, as a learner; whoever was to replace the one is to replace the other. */
export function withSuccessor(membership: Membership, id: NodeId, member: Member): Membership {
  const rest = withoutMember(membership, id);
  const promotion = { kind: "replacement", of: member.id } as const;
  const members = rest.members.map((each) =>
    each.promotion.kind === "replacement" && each.promotion.of === id
      ? { ...each, promotion }
      : each,
  );
  return withLearner({ ...rest, members }, member);
}

/** What a member says of itself is replaced by `member`. */
export function withMember(membership: Membership, member: Member): Membership {
  const members = membership.members.map((each) => (each.id === member.id ? member : each));
  return { ...membership, members };
}

/** The learner votes; if it is the replacement of a member, that one is gone. */
export function promoted(membership: Membership, learner: Member): Membership {
  assert(isLearner(membership, learner.id), "only_learners_are_promoted");
  const { promotion } = learner;
  const rest =
    promotion.kind === "replacement" ? withoutMember(membership, promotion.of) : membership;
  const voters = [...rest.voters, learner.id].sort(byNumber);
  const learners = rest.learners.filter((each) => each !== learner.id);
  const next = { ...rest, outgoingVoters: [], voters, learners };
  assert(isVoter(next, learner.id), "promoted_votes");
  return withMember(next, { ...learner, promotion: { kind: "none" } });
}

function byNumber(a: number, b: number): number {
  return a - b;
}
