import type { NodeParts } from "./node-parts.ts";
import type { UnderWay } from "./observe/under-way.ts";

/** Counts what a node has begun and not ended. `peerBytesQueued`: what waits in its links. */
export function countUnderWay(parts: NodeParts, peerBytesQueued: number): UnderWay {
  const { gateway, proposals, reads, liveness, intake, snapshots, backups, core, applier } = parts;
  const { commitIndex, uncommittedBytes, peers } = core.raft.status();
  return {
    ...gateway.underWay(),
    sessionsAttached: proposals.sessionCount,
    pingsWaiting: liveness.waitingCount,
    readsWaiting: reads.waitingCount,
    proposalsPending: proposals.pendingCount,
    proposalBytesPending: proposals.pendingBytes,
    commandsQueued: intake.count,
    uncommittedBytes,
    inflightEntries: peers.reduce((sum, { inflightEntries }) => sum + inflightEntries, 0),
    entriesToApply: Math.max(0, commitIndex - applier.appliedIndex),
    peerBytesQueued,
    snapshotTransfers: snapshots.transferCount,
    backups: backups.count,
  };
}
