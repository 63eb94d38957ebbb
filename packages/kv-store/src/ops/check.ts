import { assert } from "../assert.ts";
import { reached } from "../points.ts";
import type { ErrorCode, WriteOp, WriteReply } from "../protocol/index.ts";
import type { Transaction } from "../transaction.ts";
import { whyMissing } from "../tree-state.ts";

/** Fails unless the znode exists and has that version; changes nothing. */
export function applyCheck(
  transaction: Transaction,
  op: Extract<WriteOp, { kind: "check" }>,
): WriteReply | ErrorCode {
  const node = transaction.state.nodes.get(op.path);
  if (node === undefined) return whyMissing(op.path);
  assert(!node.isRemoved, "checked_znode_lives");
  if (op.version !== null && op.version !== node.stat.version) {
    reached("check_of_changed_znode_failed");
    return "BAD_VERSION";
  }
  return { kind: "check", stat: node.stat };
}
