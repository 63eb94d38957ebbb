import { assert } from "../assert.ts";
import { holderOf } from "../lock-directory.ts";
import { reached } from "../points.ts";
import type { ErrorCode, WriteOp, WriteReply } from "../protocol/index.ts";
import type { Transaction } from "../transaction.ts";

const GUARDED: WriteReply = { kind: "guard" };

/** Fails FENCED unless `token` is the holder's; where there is no lock, nobody holds it. */
export function applyGuard(
  transaction: Transaction,
  op: Extract<WriteOp, { kind: "guard" }>,
): WriteReply | ErrorCode {
  const holder = holderOf(transaction.state, op.path);
  const token: number = op.token;
  assert(holder === undefined || holder.stat.ephemeralOwner !== 0, "contenders_are_ephemeral");
  if (holder?.stat.czxid === token) return GUARDED;
  reached("write_fenced_off");
  return "FENCED";
}
