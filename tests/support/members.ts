import { nodeId, type Member, type Membership } from "@quorate/raft";

/** A member whose addresses follow from its name. */
export function member(name: string, id: number): Member {
  return {
    id: nodeId(id),
    name,
    peerAddress: `${name}:1`,
    clientAddress: `${name}:2`,
    promotion: { kind: "none" },
  };
}

/** Members by number, node 1 being called `n1`. */
export function membershipOf(
  voters: readonly number[],
  learners: readonly number[] = [],
  outgoingVoters: readonly number[] = [],
): Membership {
  const ids = [...new Set([...voters, ...learners, ...outgoingVoters])].sort((a, b) => a - b);
  return {
    voters: voters.map(nodeId),
    outgoingVoters: outgoingVoters.map(nodeId),
    learners: learners.map(nodeId),
    members: ids.map((id) => member(`n${id}`, id)),
  };
}

/** An ensemble of one. */
export function loneMembership(id: number, name = "one"): Membership {
  return {
    voters: [nodeId(id)],
    outgoingVoters: [],
    learners: [],
    members: [member(name, id)],
  };
}
