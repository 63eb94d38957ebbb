import type { Member } from "@quorate/raft";
import type { Belonging } from "./admission.ts";
import type { NodeStatus } from "./observe/admin-http.ts";
import type { RunningNode } from "./running-node.ts";
import { SERVER_VERSION } from "./version.ts";

export interface StatusParts {
  /** Null while the ensemble is being formed. */
  readonly node: RunningNode | null;
  readonly self: Member;
  readonly belonging: Belonging | null;
  readonly uptimeMs: number;
  readonly connectedPeers: readonly string[];
  readonly notReady: readonly string[];
  readonly warnings: readonly string[];
}

/** What a node says of itself. */
export function nodeStatus(parts: StatusParts): NodeStatus {
  const { self, belonging, connectedPeers, notReady, warnings } = parts;
  return {
    name: self.name,
    nodeId: self.id,
    version: SERVER_VERSION,
    uptimeMs: Math.round(parts.uptimeMs),
    clusterId: belonging?.clusterId ?? "",
    historyId: belonging?.historyId ?? "",
    ...consensus(parts.node),
    ...contents(parts.node),
    connectedPeers,
    notReady,
    warnings,
  };
}

function consensus(
  node: RunningNode | null,
): Pick<
  NodeStatus,
  "role" | "leader" | "leaderId" | "term" | "commitIndex" | "appliedIndex" | "membership"
> {
  if (node === null) {
    return {
      role: "forming",
      leader: null,
      leaderId: null,
      term: 0,
      commitIndex: 0,
      appliedIndex: 0,
      membership: null,
    };
  }
  const { term, commitIndex, leader, role } = node.status;
  return {
    role,
    leader: node.nameOf(leader),
    leaderId: leader,
    term,
    commitIndex,
    appliedIndex: node.applier.appliedIndex,
    membership: node.membership,
  };
}

function contents(
  node: RunningNode | null,
): Pick<
  NodeStatus,
  | "zxid"
  | "digest"
  | "checkpointZxid"
  | "sessions"
  | "connections"
  | "watches"
  | "znodes"
  | "treeBytes"
  | "diskFreeBytes"
> {
  const tree = node?.applier.tree;
  return {
    zxid: tree?.lastZxid ?? 0,
    digest: tree?.digest() ?? "",
    checkpointZxid: node?.checkpointIndex ?? 0,
    sessions: tree?.sessionCount ?? 0,
    connections: node?.gateway.connectionCount ?? 0,
    watches: node?.gateway.watchCount ?? 0,
    znodes: tree?.nodeCount ?? 0,
    treeBytes: tree?.approximateBytes ?? 0,
    diskFreeBytes: node?.disk.freeBytes ?? 0,
  };
}
