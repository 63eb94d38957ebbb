import type { SessionId, WriteOp, WriteSeq, Zxid } from "./protocol/index.ts";

/** Stamped by the leader on every command when it is appended. */
export interface CommandStamp {
  /** Leader's wall clock, ms since 1970: becomes ctime and mtime. */
  readonly timeMs: number;
  /** Leader's replicated clock, ms: what TTLs run on. Advances by monotonic deltas. */
  readonly clockMs: number;
}

/** What a log entry asks of the state machine. */
export type Command =
  | {
      readonly kind: "write";
      readonly session: SessionId;
      readonly writeSeq: WriteSeq;
      readonly ackedSeq: WriteSeq | 0;
      /** Connection epoch of a server that numbers writes for its client; 0 = the client numbers them itself, unchecked. */
      readonly epoch: number;
      readonly ops: readonly WriteOp[];
    }
  /** `verifier` (of the client's secret) doubles as the nonce that makes opening idempotent. */
  | {
      readonly kind: "openSession";
      readonly verifier: Uint8Array;
      readonly timeoutMs: number;
      readonly attach: AttachInfo;
    }
  | {
      readonly kind: "attach";
      readonly session: SessionId;
      readonly verifier: Uint8Array;
      readonly timeoutMs: number;
      readonly attach: AttachInfo;
    }
  | { readonly kind: "closeSession"; readonly session: SessionId }
  /** Of the leader of `term`, knowing the log up to `basis`: ignored in another term's entry, or if the session acted later. */
  | {
      readonly kind: "expireSessions";
      readonly term: number;
      readonly basis: Zxid;
      readonly sessions: readonly SessionId[];
    };

/** Who attached, from where, to which node. */
export interface AttachInfo {
  readonly node: number;
  readonly address: string;
  readonly principal: string;
  readonly clientName: string;
}
