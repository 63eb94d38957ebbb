import { assert } from "../assert.ts";
import { reached } from "../points.ts";
import { type ErrorCode, isReserved, type WriteOp, type WriteReply } from "../protocol/index.ts";
import type { Transaction } from "../transaction.ts";

const DELETED: WriteReply = { kind: "delete" };

/** Deletes a childless znode. As in ZooKeeper a path that names nothing is missing, not bad. */
export function applyDelete(
  transaction: Transaction,
  op: Extract<WriteOp, { kind: "delete" }>,
): WriteReply | ErrorCode {
  if (op.path === "/") return "BAD_ARGUMENTS";
  if (isReserved(op.path)) return "RESERVED_PATH";
  const node = transaction.state.nodes.get(op.path);
  if (node === undefined) {
    return op.path.startsWith("/") && !op.path.includes("\0") ? "NO_NODE" : "BAD_PATH";
  }
  if (op.version !== null && op.version !== node.stat.version) {
    reached("delete_of_changed_znode_refused");
    return "BAD_VERSION";
  }
  if (node.stat.childCount > 0) {
    reached("delete_of_parent_refused");
    return "NOT_EMPTY";
  }
  transaction.remove(node);
  assert(!transaction.state.nodes.has(op.path), "deleted_is_gone");
  return DELETED;
}
