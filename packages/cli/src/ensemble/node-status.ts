/** The part of a node's own account at `/status` that the command line shows. */
export interface NodeStatus {
  readonly name: string;
  readonly nodeId: number;
  readonly role: string;
  readonly term: number;
  /** Name of the leader it knows; null without one. */
  readonly leader: string | null;
  readonly zxid: number;
  readonly appliedIndex: number;
  /** Revision at which the image on its disk stands. */
  readonly checkpointZxid: number;
  readonly digest: string;
  readonly sessions: number;
  readonly connections: number;
  readonly znodes: number;
  readonly treeBytes: number;
  /** "" while it is no part of an ensemble. */
  readonly clusterId: string;
  /** Which of the ensemble's: one that was restored or recovered has begun another one. "" as above. */
  readonly historyId: string;
  /** Why it does not serve linearizable requests; empty when it does. */
  readonly notReady: readonly string[];
  readonly warnings: readonly string[];
}

/** Reads the answer of `/status`; null for anything that is not one. Fields that this release does not know are left alone. */
export function parseNodeStatus(body: string): NodeStatus | null {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return null;
  }
  return isNodeStatus(value) ? value : null;
}

function isNodeStatus(value: unknown): value is NodeStatus {
  if (typeof value !== "object" || value === null) return false;
  const fields: ReadonlyMap<string, unknown> = new Map(Object.entries(value));
  const leader = fields.get("leader");
  return (
    TEXTS.every((name) => typeof fields.get(name) === "string") &&
    NUMBERS.every((name) => typeof fields.get(name) === "number") &&
    LISTS.every((name) => Array.isArray(fields.get(name))) &&
    (leader === null || typeof leader === "string")
  );
}

const TEXTS = ["name", "role", "digest", "clusterId", "historyId"];
const NUMBERS = [
  "nodeId",
  "term",
  "zxid",
  "appliedIndex",
  "checkpointZxid",
  "sessions",
  "connections",
  "znodes",
  "treeBytes",
];
const LISTS = ["notReady", "warnings"];

/** It waits for one to be formed, or to be taken in. */
export function isOfNoEnsemble({ clusterId }: NodeStatus): boolean {
  return clusterId === "";
}

/** The leader of the newest term anybody knows; null while that term has none. */
export function findLeader(statuses: readonly NodeStatus[]): NodeStatus | null {
  const leading = statuses.filter((status) => status.role === "leader");
  leading.sort((a, b) => b.term - a.term);
  const newest = leading[0];
  if (newest === undefined) return null;
  const supersededBy = statuses.some((status) => status.term > newest.term);
  return supersededBy ? null : newest;
}

/** Name of the leader that the newest term has, whether or not it is among those asked; null while nobody knows one. */
export function knownLeaderName(statuses: readonly NodeStatus[]): string | null {
  const term = Math.max(...statuses.map((status) => status.term));
  const knowing = statuses.find((status) => status.term === term && status.leader !== null);
  return knowing?.leader ?? null;
}
