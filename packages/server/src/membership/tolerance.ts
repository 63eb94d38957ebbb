import { isVoter, type Membership, type NodeId } from "@quorate/raft";
import { memberById } from "./formation.ts";

/** What a membership survives. */
export interface Tolerance {
  /** Names, sorted. */
  readonly voters: readonly string[];
  readonly learners: readonly string[];
  /** Votes that a decision takes. */
  readonly quorum: number;
  /** Voters that may fail, of all of them. */
  readonly tolerates: number;
  /** Voters that the leader hears of now, itself among them. */
  readonly reachable: number;
}

/** `isActive`: who is heard of now. */
export function toleranceOf(membership: Membership, isActive: (id: NodeId) => boolean): Tolerance {
  const { voters, learners } = membership;
  const quorum = Math.floor(voters.length / 2) + 1;
  return {
    voters: namesOf(membership, voters),
    learners: namesOf(membership, learners),
    quorum,
    tolerates: voters.length - quorum,
    reachable: voters.filter(isActive).length,
  };
}

/** True if the voters of `next` that are heard of now could decide nothing. */
export function losesQuorum(next: Membership, isActive: (id: NodeId) => boolean): boolean {
  const { quorum, reachable } = toleranceOf(next, isActive);
  return reachable < quorum;
}

/** Names of the voters of `membership` that are not heard of. */
export function silentVoters(
  membership: Membership,
  isActive: (id: NodeId) => boolean,
): readonly string[] {
  const { members } = membership;
  return members
    .filter(({ id }) => isVoter(membership, id) && !isActive(id))
    .map(({ name }) => name);
}

function namesOf(membership: Membership, ids: readonly NodeId[]): readonly string[] {
  return ids.map((id) => memberById(membership, id)?.name ?? String(id)).sort();
}
