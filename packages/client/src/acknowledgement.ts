import type { WriteOp, WriteSeq } from "@quorate/kv-store/protocol";
import type { PendingWrite } from "./call.ts";
import { answerBytes, writeBytes } from "./checked-op.ts";
import type { QuorateError } from "./errors.ts";

const NO_OPS: readonly WriteOp[] = [];
const BYTES = writeBytes(NO_OPS);
const ANSWER_BYTES = answerBytes(NO_OPS);

/** Takes a number only to acknowledge the answers before it; nobody waits for its own. */
export class Acknowledgement implements PendingWrite {
  readonly kind = "write";
  readonly ops: readonly WriteOp[] = NO_OPS;
  readonly bytes: number = BYTES;
  readonly answerBytes: number = ANSWER_BYTES;
  readonly windowBytes: number = Math.max(BYTES, ANSWER_BYTES);
  readonly isSettled = true;
  readonly ticket = null;
  writeSeq: WriteSeq | 0 = 0;
  isAnswered = false;
  sendCount = 0;
  readonly abandonedWith = null;
  giveUp: QuorateError | null = null;

  succeed(): void {}
  fail(): void {}
}
