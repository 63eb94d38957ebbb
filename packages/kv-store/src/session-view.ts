import type { AttachInfo } from "./command.ts";
import type { SessionId, WriteSeq, Zxid } from "./protocol/index.ts";

/** What is replicated of a live session, its secret's verifier apart. A copy: it does not follow later changes. */
export interface SessionView {
  readonly id: SessionId;
  readonly timeoutMs: number;
  /** Connection epoch: rises with every attach, 1 after the opening. */
  readonly epoch: number;
  /** Last write that took its place in the log. */
  readonly lastWriteSeq: WriteSeq | 0;
  /** Replies up to here are forgotten. */
  readonly ackedSeq: WriteSeq | 0;
  /** Revision of the last attach or of the opening. */
  readonly attachZxid: Zxid;
  /** Revision of the last attach or write: an expiry based on an older one is ignored. */
  readonly lastActZxid: Zxid;
  readonly attach: AttachInfo;
  readonly ephemeralCount: number;
}
