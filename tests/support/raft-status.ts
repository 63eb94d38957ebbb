import { logIndex, nodeId, term, type NodeId, type RaftStatus } from "@quorate/raft";
import { membershipOf } from "./members.ts";

type PeerStatus = RaftStatus["peers"][number];

/** Where all logs end, and what is committed. */
const LAST_INDEX = 50;

/** What a leader knows of a peer that has everything and was heard of, but for `changes`. */
export function peerOf(id: NodeId, changes: Partial<PeerStatus> = {}): PeerStatus {
  const { matchIndex = logIndex(LAST_INDEX) } = changes;
  return {
    id,
    state: "replicate",
    matchIndex,
    nextIndex: logIndex(matchIndex + 1),
    inflightEntries: 0,
    inflightBytes: 0,
    isFetching: false,
    recentlyActive: true,
    claimedIndex: null,
    ...changes,
  };
}

/** Of node 1, which leads the voters 1, 2 and 3 in term 1, none of which lacks anything, but for `changes`. */
export function statusOf(changes: Partial<RaftStatus> = {}): RaftStatus {
  const last = logIndex(LAST_INDEX);
  return {
    id: nodeId(1),
    role: "leader",
    term: term(1),
    leader: nodeId(1),
    votedFor: nodeId(1),
    firstIndex: logIndex(1),
    lastIndex: last,
    commitIndex: last,
    appliedIndex: last,
    persistedIndex: last,
    membership: membershipOf([1, 2, 3]),
    isMembershipPending: false,
    uncommittedBytes: 0,
    memoryLogBytes: 0,
    transferringTo: null,
    hasLease: false,
    isDiskStuck: false,
    hasLostEntries: false,
    conflict: null,
    peers: [peerOf(nodeId(2)), peerOf(nodeId(3))],
    ...changes,
  };
}
