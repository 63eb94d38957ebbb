import type {
  Query,
  QueryReply,
  WriteOp,
  WriteReply,
  WriteSeq,
  Zxid,
} from "@quorate/kv-store/protocol";
import type { CancellationTicket } from "./cancellations.ts";
import { answerBytes } from "./checked-op.ts";
import type { QuorateError } from "./errors.ts";

/** What the request table knows of any call; the types of its result stay with whoever made it. */
interface CallRecord {
  /** Estimated bytes on the wire, never less than the real ones. */
  readonly bytes: number;
  /** The promise has been settled; the request may still be under way. */
  readonly isSettled: boolean;
  ticket: CancellationTicket | null;
  fail(error: QuorateError): void;
}

export interface PendingWrite extends CallRecord {
  readonly kind: "write";
  readonly ops: readonly WriteOp[];
  /** What the service keeps of its answer until that is acknowledged, bytes, at most. */
  readonly answerBytes: number;
  /** Bytes it counts with until it is answered: its own or its answer's, whichever are more. */
  readonly windowBytes: number;
  /** 0 until the number is taken. */
  writeSeq: WriteSeq | 0;
  isAnswered: boolean;
  /** How often it was sent: on other connections, and on one after a refusal. */
  sendCount: number;
  /**
   * Not null: nobody waits for its result, and its caller was told this. What it did, if it did anything, has to be known all
   * the same, so it is not settled.
   */
  abandonedWith: QuorateError | null;
  /** Set: its number is given up, the reply settles with this unless the write got into the log after all. */
  giveUp: QuorateError | null;
  succeed(zxid: Zxid, replies: readonly WriteReply[]): void;
}

export interface PendingRead extends CallRecord {
  readonly kind: "read";
  readonly query: Query;
  readonly consistency: "linearizable" | "local";
  /** 0 until it is sent. */
  cxid: number;
  /** Its place among the reads; 0 until it is first sent. */
  order: number;
  /** The last write that was sent before it. */
  afterSeq: number;
  /** It is under way, and a write that was sent before it was refused since: its answer does not show that write. */
  isOvertaking: boolean;
  /** It passes by all others and waits for no write. */
  isUrgent: boolean;
  succeed(zxid: Zxid, reply: QueryReply): void;
}

/** Turns the answer into the result; runs in the turn in which the answer arrives, before anything that follows it. */
export type WriteResult<T> = (
  replies: readonly WriteReply[],
  zxid: Zxid,
  call: PendingWrite,
) => T | PromiseLike<T>;
export type ReadResult<T> = (reply: QueryReply, zxid: Zxid) => T;

/** Stands only until the promise's executor has run. */
const UNSET = (): void => undefined;

/** One write: its ops, its promise, and where it stands. */
export class WriteCall<T> implements PendingWrite {
  readonly kind = "write";
  readonly ops: readonly WriteOp[];
  readonly bytes: number;
  readonly answerBytes: number;
  readonly windowBytes: number;
  readonly promise: Promise<T>;
  writeSeq: WriteSeq | 0 = 0;
  isSettled = false;
  isAnswered = false;
  sendCount = 0;
  abandonedWith: QuorateError | null = null;
  giveUp: QuorateError | null = null;
  ticket: CancellationTicket | null = null;
  readonly #result: WriteResult<T>;
  #resolve: (value: T | PromiseLike<T>) => void = UNSET;
  #reject: (error: unknown) => void = UNSET;

  constructor(ops: readonly WriteOp[], bytes: number, result: WriteResult<T>) {
    this.ops = ops;
    this.bytes = bytes;
    this.answerBytes = answerBytes(ops);
    this.windowBytes = Math.max(bytes, this.answerBytes);
    this.#result = result;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  succeed(zxid: Zxid, replies: readonly WriteReply[]): void {
    this.isSettled = true;
    try {
      this.#resolve(this.#result(replies, zxid, this));
    } catch (error) {
      this.#reject(error);
    }
  }

  fail(error: QuorateError): void {
    this.isSettled = true;
    this.#reject(error);
  }
}

/** One read: its query and its promise. */
export class ReadCall<T> implements PendingRead {
  readonly kind = "read";
  readonly query: Query;
  readonly consistency: "linearizable" | "local";
  readonly bytes: number;
  readonly promise: Promise<T>;
  cxid = 0;
  order = 0;
  afterSeq = 0;
  isOvertaking = false;
  isUrgent = false;
  isSettled = false;
  ticket: CancellationTicket | null = null;
  readonly #result: ReadResult<T>;
  #resolve: (value: T) => void = UNSET;
  #reject: (error: unknown) => void = UNSET;

  constructor(
    query: Query,
    consistency: "linearizable" | "local",
    bytes: number,
    result: ReadResult<T>,
  ) {
    this.query = query;
    this.consistency = consistency;
    this.bytes = bytes;
    this.#result = result;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  succeed(zxid: Zxid, reply: QueryReply): void {
    this.isSettled = true;
    try {
      this.#resolve(this.#result(reply, zxid));
    } catch (error) {
      this.#reject(error);
    }
  }

  fail(error: QuorateError): void {
    this.isSettled = true;
    this.#reject(error);
  }
}
