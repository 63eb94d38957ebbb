import { assert, unreachable } from "./assert.ts";
import { type DigestSum, type Hasher, ITEM } from "./digest.ts";
import { CONTENDER_PREFIX } from "./ops/sequence.ts";
import {
  PROTOCOL_LIMITS,
  SEQUENCE_DIGITS,
  type SessionId,
  type WriteOp,
  type WriteOutcome,
  type WriteReply,
  type WriteSeq,
} from "./protocol/index.ts";
import { hashStat } from "./znode.ts";

/** The outcome of one write, kept until its client has it. */
export interface RememberedReply {
  readonly writeSeq: WriteSeq;
  readonly outcome: WriteOutcome;
  readonly bytes: number;
  readonly sumA: number;
  readonly sumB: number;
}

/** Replies of one session's writes that it has not acknowledged: consecutive numbers, oldest first. */
export class ReplyWindow {
  /** What is forgotten is not held on to until the list is cut. */
  #replies: (RememberedReply | undefined)[] = [];
  #head = 0;
  #bytes = 0;

  get count(): number {
    return this.#replies.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(reply: RememberedReply): void {
    assert(reply.bytes >= REPLY_BYTES, "reply_bytes_counted");
    const last = this.#replies.at(-1);
    const isNext = this.count === 0 || last?.writeSeq === reply.writeSeq - 1;
    assert(isNext, "reply_window_consecutive");
    this.#replies.push(reply);
    this.#bytes += reply.bytes;
  }

  get(writeSeq: WriteSeq): RememberedReply | undefined {
    const first = this.#replies[this.#head];
    if (first === undefined || writeSeq < first.writeSeq) return undefined;
    const reply = this.#replies[this.#head + writeSeq - first.writeSeq];
    assert(reply === undefined || reply.writeSeq === writeSeq, "reply_of_that_write");
    return reply;
  }

  /** Bytes of the replies after `ackedSeq`. */
  bytesAfter(ackedSeq: WriteSeq | 0): number {
    let bytes = this.#bytes;
    for (let i = this.#head; i < this.#replies.length; i += 1) {
      const reply = this.#replies[i];
      if (reply === undefined || reply.writeSeq > ackedSeq) break;
      bytes -= reply.bytes;
    }
    assert(bytes >= 0 && bytes <= this.#bytes, "reply_bytes_counted");
    return bytes;
  }

  /** Forgets the replies up to `ackedSeq`, in `digest` too. Returns their bytes. */
  forget(ackedSeq: WriteSeq | 0, digest: DigestSum): number {
    const before = this.#bytes;
    while (this.#head < this.#replies.length) {
      const reply = this.#replies[this.#head];
      if (reply === undefined || reply.writeSeq > ackedSeq) break;
      digest.subtract(reply.sumA, reply.sumB);
      this.#bytes -= reply.bytes;
      this.#replies[this.#head] = undefined;
      this.#head += 1;
    }
    if (this.#head === this.#replies.length || this.#head > 64) {
      if (this.#head * 2 > this.#replies.length) {
        this.#replies = this.#replies.slice(this.#head);
        this.#head = 0;
      }
    }
    assert(this.count > 0 || this.#bytes === 0, "reply_bytes_counted");
    return before - this.#bytes;
  }

  /** A copy, oldest first. */
  toArray(): readonly RememberedReply[] {
    const replies: RememberedReply[] = [];
    for (let i = this.#head; i < this.#replies.length; i += 1) {
      const reply = this.#replies[i];
      if (reply !== undefined) replies.push(reply);
    }
    assert(replies.length === this.count, "window_copied_whole");
    return replies;
  }
}

const REPLY_BYTES = 200;
/** UTF-16 units that an op adds to its path at most: the name of a contender, with its number. */
const NAME_UNITS_ADDED = 1 + CONTENDER_PREFIX.length + SEQUENCE_DIGITS;

/** A reply as it is remembered, its digest and counted bytes with it. */
export function rememberedReply(
  hasher: Hasher,
  session: SessionId,
  writeSeq: WriteSeq,
  outcome: WriteOutcome,
): RememberedReply {
  assert(!outcome.ok || outcome.replies.length <= PROTOCOL_LIMITS.opsMax, "replies_bounded");
  hasher.begin(ITEM.reply);
  hasher.number(session);
  hasher.number(writeSeq);
  hasher.number(outcome.zxid);
  let bytes = REPLY_BYTES;
  if (outcome.ok) {
    for (const reply of outcome.replies) {
      hashReply(hasher, reply);
      bytes += replyBytes(reply);
    }
  } else {
    hasher.string(outcome.code);
    hasher.number(outcome.opIndex);
  }
  hasher.end();
  return { writeSeq, outcome, bytes, sumA: hasher.a, sumB: hasher.b };
}

/** Bytes that the reply to a write of `ops` is counted with at most, whatever comes of them. */
export function replyBytesMax(ops: readonly WriteOp[]): number {
  let bytes = REPLY_BYTES;
  for (const op of ops) bytes += REPLY_BYTES + 2 * pathUnitsMax(op);
  return bytes;
}

function pathUnitsMax(op: WriteOp): number {
  if (op.kind !== "create" && op.kind !== "acquire") return 0;
  // Longer paths are refused.
  return Math.min(op.path.length + NAME_UNITS_ADDED, PROTOCOL_LIMITS.pathBytesMax);
}

function replyBytes(reply: WriteReply): number {
  if (reply.kind === "create") return REPLY_BYTES + 2 * reply.path.length;
  if (reply.kind === "acquire") return REPLY_BYTES + 2 * reply.contender.length;
  return REPLY_BYTES;
}

function hashReply(hasher: Hasher, reply: WriteReply): void {
  switch (reply.kind) {
    case "create":
      hasher.word(1);
      hasher.string(reply.path);
      hashStatOfReply(hasher, reply);
      return;
    case "set":
      hasher.word(2);
      hashStatOfReply(hasher, reply);
      return;
    case "delete":
      hasher.word(3);
      return;
    case "check":
      hasher.word(4);
      hashStatOfReply(hasher, reply);
      return;
    case "guard":
      hasher.word(5);
      return;
    case "acquire":
      hasher.word(6);
      hasher.string(reply.contender);
      hasher.number(reply.token);
      hasher.word(reply.held ? 1 : 0);
      return;
    case "release":
      hasher.word(7);
      return;
    default:
      unreachable(reply);
  }
}

function hashStatOfReply(hasher: Hasher, reply: Extract<WriteReply, { stat: unknown }>): void {
  hashStat(hasher, reply.stat);
  // Nothing else in the state tells what these were at that time.
  hasher.number(reply.stat.dataBytes);
  hasher.number(reply.stat.childCount);
}
