import { assert } from "../assert.ts";
import { reached } from "../points.ts";
import {
  checkPath,
  type ErrorCode,
  isReserved,
  isSequential,
  PROTOCOL_LIMITS,
  type WriteOp,
  type WriteReply,
} from "../protocol/index.ts";
import type { Transaction } from "../transaction.ts";
import { znodeBytes, type Znode } from "../znode.ts";
import { SEQUENCE_MAX, sequentialName } from "./sequence.ts";

/**
 * Creates a znode. Checks in ZooKeeper's order (its source, 3.9, `PrepRequestProcessor.pRequest2TxnCreate`): the
 * parent before the full path, the path before NODE_EXISTS, that before what the parent may hold, bounds last.
 */
export function applyCreate(
  transaction: Transaction,
  op: Extract<WriteOp, { kind: "create" }>,
): WriteReply | ErrorCode {
  const { nodes } = transaction.state;
  const slash = op.path.lastIndexOf("/");
  if (slash === -1) return "BAD_PATH";
  if (isReserved(op.path)) return "RESERVED_PATH";
  const parent = nodes.get(slash === 0 ? "/" : op.path.slice(0, slash));
  if (parent === undefined) return op.path.includes("\0") ? "BAD_PATH" : "NO_NODE";
  let path = op.path;
  if (isSequential(op.mode)) {
    if (parent.created > SEQUENCE_MAX) {
      reached("sequence_exhausted");
      return "SEQUENCE_EXHAUSTED";
    }
    path = sequentialName(path, parent.created);
  }
  const invalid = checkPath(path);
  if (invalid !== null) return invalid;
  if (nodes.has(path)) {
    reached("create_of_what_exists");
    return "NODE_EXISTS";
  }
  const isEphemeral = op.mode === "ephemeral" || op.mode === "ephemeralSequential";
  const refusal = refuseChild(transaction, parent) ?? refuseData(transaction, op.data, isEphemeral);
  if (refusal !== null) return refusal;
  if (!transaction.hasRoom(znodeBytes(path, op.data.length))) {
    reached("create_refused_tree_full");
    return "TREE_FULL";
  }
  const owner = isEphemeral ? transaction.author : 0;
  const node = transaction.create(parent, path, op.data, owner);
  assert(node.parent === parent, "created_where_checked");
  return { kind: "create", path, stat: node.stat };
}

/** Why an ordinary child may not be created below `parent`, or null. */
export function refuseChild(transaction: Transaction, parent: Znode): ErrorCode | null {
  assert(transaction.state.nodes.has(parent.path), "parent_exists");
  if (parent.stat.ephemeralOwner !== 0) {
    reached("child_of_ephemeral_refused");
    return "NO_CHILDREN_FOR_EPHEMERALS";
  }
  if (parent.contenderFormat === null) return null;
  reached("ordinary_child_of_lock_directory_refused");
  return "LOCK_DIRECTORY";
}

/** Why this session may not create a znode with that data, or null. */
export function refuseData(
  transaction: Transaction,
  data: Uint8Array,
  isEphemeral: boolean,
): ErrorCode | null {
  if (data.length > PROTOCOL_LIMITS.dataBytesMax) return "TOO_LARGE";
  if (!isEphemeral) return null;
  const { sessions, limits } = transaction.state;
  const owner = transaction.author === 0 ? undefined : sessions.get(transaction.author);
  assert(owner !== undefined, "ephemerals_have_a_live_owner");
  if (owner.ephemerals.size < limits.sessionEphemeralsMax) return null;
  reached("session_holds_too_many_ephemerals");
  return "TOO_LARGE";
}
