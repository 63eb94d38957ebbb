import { assert, unreachable } from "../assert.ts";
import type { ErrorCode, WriteOp, WriteReply } from "../protocol/index.ts";
import type { Transaction } from "../transaction.ts";
import { applyAcquire } from "./acquire.ts";
import { applyCheck } from "./check.ts";
import { applyCreate } from "./create.ts";
import { applyDelete } from "./delete.ts";
import { applyGuard } from "./guard.ts";
import { applyRelease } from "./release.ts";
import { applySet } from "./set.ts";

/** Does one op, or says why not, in which case nothing has changed. */
export function applyOp(transaction: Transaction, op: WriteOp): WriteReply | ErrorCode {
  assert(transaction.isOpen, "ops_run_in_a_transaction");
  switch (op.kind) {
    case "create":
      return applyCreate(transaction, op);
    case "set":
      return applySet(transaction, op);
    case "delete":
      return applyDelete(transaction, op);
    case "check":
      return applyCheck(transaction, op);
    case "guard":
      return applyGuard(transaction, op);
    case "acquire":
      return applyAcquire(transaction, op);
    case "release":
      return applyRelease(transaction, op);
    default:
      return unreachable(op);
  }
}
