import type { NodeStatus } from "./observe/admin-http.ts";
import type { Gauges } from "./observe/metrics.ts";
import type { RunningNode } from "./running-node.ts";

/** What a node says of itself in numbers; `node` null: the ensemble is being formed. */
export function nodeGauges(
  status: NodeStatus,
  node: RunningNode | null,
  logLinesDropped: number,
): Gauges {
  return {
    term: status.term,
    role: status.role === "forming" ? "follower" : status.role,
    hasLeader: status.leaderId !== null,
    hasLease: node?.status.hasLease ?? false,
    commitIndex: status.commitIndex,
    appliedIndex: status.appliedIndex,
    zxid: status.zxid,
    sessions: status.sessions,
    znodes: status.znodes,
    treeBytes: status.treeBytes,
    watches: status.watches,
    connections: status.connections,
    ...status.underWay,
    walBytes: node?.storage.logBytes ?? 0,
    diskFreeBytes: status.diskFreeBytes,
    peersConnected: status.connectedPeers.length,
    logLinesDropped,
  };
}
