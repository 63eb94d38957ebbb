import type { Member } from "@quorate/raft";
import type { Belonging } from "./membership/admission.ts";
import type { NodeStatus } from "./observe/admin-http.ts";
import { NOTHING_UNDER_WAY } from "./observe/under-way.ts";
import type { RunningNode } from "./running-node.ts";
import { SERVER_VERSION } from "./version.ts";

export interface StatusParts {
  /** Null while the ensemble is being formed. */
  readonly node: RunningNode | null;
  readonly self: Member;
  readonly belonging: Belonging | null;
  readonly uptimeMs: number;
  readonly priority: number;
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
    ...others(parts.node),
    underWay: parts.node?.underWay() ?? NOTHING_UNDER_WAY,
    priority: parts.priority,
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
    leader: node.members.nameOf(leader),
    leaderId: leader,
    term,
    commitIndex,
    appliedIndex: node.applier.appliedIndex,
    membership: node.members.shown,
  };
}

function others(node: RunningNode | null): Pick<NodeStatus, "peers" | "joining" | "invited"> {
  if (node === null || !node.isLeading) return { peers: [], joining: [], invited: [] };
  const { commitIndex, peers } = node.status;
  const { asking, awaited } = node.members.waiting;
  return {
    peers: peers.map(({ id, state, matchIndex, recentlyActive }) => ({
      name: node.members.nameOf(id) ?? String(id),
      state,
      behind: Math.max(0, commitIndex - matchIndex),
      isActive: recentlyActive,
    })),
    joining: asking.map(({ name }) => name).sort(),
    invited: awaited,
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
