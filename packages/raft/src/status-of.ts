import { assert } from "./assert.ts";
import { hasLease } from "./lease.ts";
import { isJoint } from "./membership-rules.ts";
import { isDiskStuck, membershipOf, type NodeState } from "./node-state.ts";
import type { Progress } from "./progress.ts";
import type { PeerStatus, RaftStatus } from "./status.ts";

function peerStatus(state: NodeState, peer: Progress): PeerStatus {
  assert(peer.id !== state.id, "peer_is_another");
  return {
    id: peer.id,
    state: peer.state,
    matchIndex: peer.matchIndex,
    nextIndex: peer.nextIndex,
    inflightEntries: peer.inflights.entries,
    inflightBytes: peer.inflights.bytes,
    isFetching: peer.isFetching,
    recentlyActive: peer.hasReplied && state.now - peer.contactTick < state.config.electionTicks,
    claimedIndex: peer.claimedIndex,
  };
}

function isMembershipPending(state: NodeState): boolean {
  const { memberships, commitIndex } = state;
  assert(memberships.currentIndex <= state.log.lastIndex, "membership_within_log");
  return memberships.currentIndex > commitIndex || isJoint(membershipOf(state));
}

/** Copies what a core knows into a report. */
export function statusOf(state: NodeState): RaftStatus {
  const { leading, log } = state;
  const peers = [...(leading?.peers.values() ?? [])]
    .filter((peer) => peer.id !== state.id)
    .sort((left, right) => left.id - right.id);
  return {
    id: state.id,
    role: state.role,
    term: state.term,
    leader: state.leader,
    votedFor: state.votedFor,
    firstIndex: log.firstIndex,
    lastIndex: log.lastIndex,
    commitIndex: state.commitIndex,
    appliedIndex: state.appliedIndex,
    persistedIndex: log.persistedIndex,
    membership: membershipOf(state),
    isMembershipPending: isMembershipPending(state),
    uncommittedBytes: leading?.uncommittedBytes ?? 0,
    memoryLogBytes: log.memoryBytes,
    transferringTo: leading?.transfer?.to ?? null,
    hasLease: leading !== null && hasLease(state, leading),
    isDiskStuck: isDiskStuck(state),
    hasLostEntries: state.hasLostEntries,
    conflict: state.conflict,
    peers: peers.map((peer) => peerStatus(state, peer)),
  };
}
