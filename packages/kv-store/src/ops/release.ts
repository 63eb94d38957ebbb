import { assert } from "../assert.ts";
import { contenderOf } from "../lock-directory.ts";
import { reached } from "../points.ts";
import type { ErrorCode, WriteOp, WriteReply } from "../protocol/index.ts";
import type { Transaction } from "../transaction.ts";
import { whyMissing } from "../tree-state.ts";

const RELEASED: WriteReply = { kind: "release" };

/** Takes a contender of this session out of the line. */
export function applyRelease(
  transaction: Transaction,
  op: Extract<WriteOp, { kind: "release" }>,
): WriteReply | ErrorCode {
  if (!transaction.state.nodes.has(op.path)) return whyMissing(op.path);
  const contender = contenderOf(transaction.state, op.path, op.token);
  if (contender === undefined || contender.stat.ephemeralOwner !== transaction.author) {
    reached("release_of_what_is_not_held");
    return "NO_NODE";
  }
  assert(contender.stat.childCount === 0, "contenders_are_childless");
  transaction.remove(contender);
  return RELEASED;
}
