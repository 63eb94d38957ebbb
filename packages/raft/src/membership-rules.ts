import type { NodeId } from "./ids.ts";
import type { Member, Membership } from "./membership.ts";

/** Members of one ensemble at most, so that every message and list about them is bounded. */
export const membersMax = 32;

/** True if `id` takes part in decisions, in either half of a joint membership. */
export function isVoter(membership: Membership, id: NodeId): boolean {
  return membership.voters.includes(id) || membership.outgoingVoters.includes(id);
}

/** True if `id` receives the log and decides nothing. */
export function isLearner(membership: Membership, id: NodeId): boolean {
  return membership.learners.includes(id) && !isVoter(membership, id);
}

/** True if `id` takes part in any way. */
export function isMember(membership: Membership, id: NodeId): boolean {
  return isVoter(membership, id) || membership.learners.includes(id);
}

/** True while two sets of voters have to agree (Raft paper, section 6). */
export function isJoint(membership: Membership): boolean {
  return membership.outgoingVoters.length > 0;
}

/** Every id that takes part, ascending, each once. */
export function memberIds(membership: Membership): readonly NodeId[] {
  const ids = new Set([...membership.voters, ...membership.outgoingVoters, ...membership.learners]);
  return [...ids].sort((left, right) => left - right);
}

/** What the host knows about `id`; null for strangers. */
export function findMember(membership: Membership, id: NodeId): Member | null {
  return membership.members.find((member) => member.id === id) ?? null;
}

/**
 * Looks for what is wrong with a membership by itself; null when nothing is.
 *
 * Required: at least one voter; no id twice in one set; no learner that votes; `members` ascending by id and naming
 * exactly the ids in use; names not empty and unique; at most {@link membersMax} members.
 */
export function validateMembership(membership: Membership): string | null {
  const { voters, outgoingVoters, learners, members } = membership;
  if (voters.length === 0) return "no voters";
  if (members.length > membersMax) return `more than ${membersMax} members`;
  for (const ids of [voters, outgoingVoters, learners]) {
    if (ids.length > membersMax) return `more than ${membersMax} members`;
    if (new Set(ids).size !== ids.length) return "an id occurs twice";
    if (!ids.every((id) => Number.isSafeInteger(id) && id > 0)) return "an id is not positive";
  }
  if (learners.some((id) => isVoter(membership, id))) return "a learner is a voter";
  const ids = memberIds(membership);
  if (members.length !== ids.length) return "members and ids differ";
  if (members.some((member, at) => member.id !== ids[at])) return "members and ids differ";
  if (members.some((member) => member.name === "")) return "a name is empty";
  if (new Set(members.map((member) => member.name)).size !== members.length) {
    return "a name occurs twice";
  }
  return null;
}

/** Ids in `left` that `right` lacks. */
function difference(left: readonly NodeId[], right: readonly NodeId[]): readonly NodeId[] {
  return left.filter((id) => !right.includes(id));
}

function isSameSet(left: readonly NodeId[], right: readonly NodeId[]): boolean {
  return left.length === right.length && difference(left, right).length === 0;
}

function votersChanged(current: Membership, next: Membership): number {
  return (
    difference(next.voters, current.voters).length + difference(current.voters, next.voters).length
  );
}

/**
 * Looks for what forbids the step from `current` to `next`; null when nothing does.
 *
 * - One voter may be added or removed (a promotion adds one, a demotion removes one), any number of learners may change:
 *   then any majority before and any majority after share a node (Raft thesis, section 4.1).
 * - Any number of voters may change by way of a joint membership, whose outgoing voters are those of `current` (Raft paper,
 *   section 6). From there the only step is to its own voters.
 */
export function validateChange(current: Membership, next: Membership): string | null {
  const problem = validateMembership(next);
  if (problem !== null) return problem;
  if (isJoint(current)) {
    if (isJoint(next)) return "a joint membership follows a joint one";
    return isSameSet(next.voters, current.voters) ? null : "a joint membership is left otherwise";
  }
  if (isJoint(next)) {
    return isSameSet(next.outgoingVoters, current.voters) ? null : "other voters go than vote";
  }
  return votersChanged(current, next) > 1 ? "more than one voter changes" : null;
}

/**
 * The membership that comes next on the way from `current` to `target`, neither of them joint: `target` itself where one
 * step does, else the joint one. Who votes in `current` cannot become a learner by way of a joint membership: the result is
 * then not valid.
 */
export function stepTowards(current: Membership, target: Membership): Membership {
  if (isJoint(current) || isJoint(target) || votersChanged(current, target) <= 1) return target;
  const known = new Map([...current.members, ...target.members].map((each) => [each.id, each]));
  const joint = { ...target, outgoingVoters: current.voters };
  const members = memberIds(joint).flatMap((id) => known.get(id) ?? []);
  return { ...joint, members };
}

/** What a joint membership leads to. */
export function withoutOutgoing(joint: Membership): Membership {
  const left = { ...joint, outgoingVoters: [] };
  const ids = new Set(memberIds(left));
  return { ...left, members: joint.members.filter(({ id }) => ids.has(id)) };
}
