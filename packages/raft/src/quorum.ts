import { assert } from "./assert.ts";
import type { NodeId } from "./ids.ts";
import { isJoint } from "./membership-rules.ts";
import type { Membership } from "./membership.ts";

/** What an election has come to. */
export type VoteOutcome = "won" | "lost" | "pending";

/** How many of `count` are a majority. */
export function majority(count: number): number {
  assert(count > 0, "majority_of_somebody");
  return Math.floor(count / 2) + 1;
}

/** The highest value that a majority of `voters` has reached; who is missing has reached nothing. */
function majorityValue<Peer>(
  voters: readonly NodeId[],
  peers: ReadonlyMap<NodeId, Peer>,
  select: (peer: Peer) => number,
): number {
  const values: number[] = [];
  for (const voter of voters) {
    const peer = peers.get(voter);
    values.push(peer === undefined ? 0 : select(peer));
  }
  values.sort((left, right) => right - left);
  const value = values[majority(voters.length) - 1];
  assert(value !== undefined, "majority_within_voters");
  return value;
}

/**
 * The highest value that a quorum has reached: a majority of the voters, and of the outgoing voters too while the
 * membership is joint (Raft paper, section 6). `select` reads a peer's value, at least 0.
 */
export function quorumValue<Peer>(
  membership: Membership,
  peers: ReadonlyMap<NodeId, Peer>,
  select: (peer: Peer) => number,
): number {
  const value = majorityValue(membership.voters, peers, select);
  if (!isJoint(membership)) return value;
  return Math.min(value, majorityValue(membership.outgoingVoters, peers, select));
}

function majorityOutcome(
  voters: readonly NodeId[],
  votes: ReadonlyMap<NodeId, boolean>,
): VoteOutcome {
  let granted = 0;
  let refused = 0;
  for (const voter of voters) {
    const vote = votes.get(voter);
    if (vote === true) granted += 1;
    if (vote === false) refused += 1;
  }
  const needed = majority(voters.length);
  assert(granted + refused <= voters.length, "votes_within_voters");
  if (granted >= needed) return "won";
  return voters.length - refused < needed ? "lost" : "pending";
}

/** What the votes so far decide; votes of others than voters count for nothing. */
export function voteOutcome(
  membership: Membership,
  votes: ReadonlyMap<NodeId, boolean>,
): VoteOutcome {
  const incoming = majorityOutcome(membership.voters, votes);
  if (!isJoint(membership)) return incoming;
  const outgoing = majorityOutcome(membership.outgoingVoters, votes);
  if (incoming === "lost" || outgoing === "lost") return "lost";
  return incoming === "won" && outgoing === "won" ? "won" : "pending";
}
