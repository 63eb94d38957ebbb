import { assert } from "../assert.ts";
import { reached } from "../points.ts";
import {
  type ErrorCode,
  PROTOCOL_LIMITS,
  type WriteOp,
  type WriteReply,
} from "../protocol/index.ts";
import type { Transaction } from "../transaction.ts";
import { whyMissing } from "../tree-state.ts";

/** Replaces a znode's data. BAD_PATH, RESERVED_PATH, NO_NODE, BAD_VERSION, TOO_LARGE, TREE_FULL, in that order. */
export function applySet(
  transaction: Transaction,
  op: Extract<WriteOp, { kind: "set" }>,
): WriteReply | ErrorCode {
  const node = transaction.state.nodes.get(op.path);
  if (node === undefined) return whyMissing(op.path);
  if (op.version !== null && op.version !== node.stat.version) {
    reached("set_of_changed_znode_refused");
    return "BAD_VERSION";
  }
  if (op.data.length > PROTOCOL_LIMITS.dataBytesMax) return "TOO_LARGE";
  const growth = op.data.length - node.stat.dataBytes;
  if (growth > 0 && !transaction.hasRoom(growth)) {
    reached("set_refused_tree_full");
    return "TREE_FULL";
  }
  const version = node.stat.version;
  transaction.setData(node, op.data);
  assert(node.stat.version === version + 1, "set_counts_versions");
  return { kind: "set", stat: node.stat };
}
