import type {
  ErrorCode,
  EventKind,
  FencingToken,
  SessionId,
  Stat,
  WriteOutcome,
  WriteSeq,
  Zxid,
} from "./protocol/index.ts";

/** One change of one znode, in tree order. What watches, the change log and audits are made of. */
export interface Change {
  readonly zxid: Zxid;
  readonly kind: Exclude<EventKind, "childrenChanged">;
  readonly path: string;
  /** Right after the change; of a deleted znode right before. */
  readonly data: Uint8Array;
  readonly stat: Stat;
  /** Right before the change; null for created. Bytes are shared with the tree, never written to. */
  readonly before: { readonly data: Uint8Array; readonly stat: Stat } | null;
  /** Session that caused it; 0 for the ensemble itself. */
  readonly author: SessionId | 0;
}

/** A lock or election passed to a contender that was waiting. */
export interface Grant {
  readonly session: SessionId;
  readonly path: string;
  readonly contender: string;
  readonly token: FencingToken;
}

/** What applying one command did. `changes` and `grants` are empty where nothing changed. */
export interface ApplyOutcome {
  readonly zxid: Zxid;
  readonly changes: readonly Change[];
  readonly grants: readonly Grant[];
  readonly result: ApplyResult;
}

/** The answer to one command, for whoever waits for it. */
export type ApplyResult =
  /** `fresh` false: the number was applied before, this is the remembered outcome. */
  | {
      readonly kind: "write";
      readonly session: SessionId;
      readonly writeSeq: WriteSeq;
      readonly fresh: boolean;
      readonly outcome: WriteOutcome;
    }
  /** Not applied and no trace left: `lastWriteSeq + 1` must come first, or the unacknowledged window is full. */
  | {
      readonly kind: "writeSkipped";
      readonly session: SessionId;
      readonly writeSeq: WriteSeq;
      readonly reason: "gap" | "windowFull";
      readonly lastWriteSeq: WriteSeq | 0;
    }
  /** No such session (any more), or an older connection epoch: SESSION_EXPIRED, SESSION_MOVED. A repeat so old that its reply is forgotten too. */
  | {
      readonly kind: "writeRefused";
      readonly session: SessionId;
      readonly writeSeq: WriteSeq;
      readonly code: ErrorCode;
    }
  | {
      readonly kind: "attached";
      readonly session: SessionId;
      readonly verifier: Uint8Array;
      readonly opened: boolean;
      readonly epoch: number;
      readonly timeoutMs: number;
      readonly lastWriteSeq: WriteSeq | 0;
      readonly node: number;
    }
  /**
   * Unknown session or wrong secret, SESSION_EXPIRED; the two are told apart by nobody. `session` 0: one more may not
   * be opened, TREE_FULL.
   */
  | {
      readonly kind: "attachRefused";
      readonly session: SessionId | 0;
      readonly verifier: Uint8Array;
      readonly code: ErrorCode;
    }
  | {
      readonly kind: "closed";
      readonly sessions: readonly SessionId[];
      readonly cause: "client" | "expired";
    };
