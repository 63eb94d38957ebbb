import type { ErrorCode } from "./error-code.ts";
import type { WatchEvent, WatchMode } from "./event.ts";
import type { FencingToken, SessionId, WriteSeq, Zxid } from "./ids.ts";
import type { Query, QueryReply, WriteOp, WriteOutcome } from "./op.ts";

/**
 * The first message on a connection. `session` null opens a session, and sending the same `secret` again after a lost
 * answer yields the same session; otherwise it re-attaches to `session`. The secret, of 16 to 64 bytes, is drawn by the client
 * and never stored by the server, which keeps a verifier; with a shorter one the frame is malformed.
 */
export interface Hello {
  readonly kind: "hello";
  readonly protocolVersion: number;
  readonly session: SessionId | null;
  readonly secret: Uint8Array;
  /** For a new session what its client would like, else what it was granted: an attach does not change it. */
  readonly timeoutMs: number;
  /** Highest revision this client has seen: the server does not serve it from an older state. 0 = none. */
  readonly lastZxid: Zxid | 0;
  /** History id of that revision; "" = none. Another history answers HISTORY_CHANGED. */
  readonly historyId: string;
  readonly clientName: string;
}

/** What a client says after `hello` was welcomed. A frame carries many. */
export type ClientMessage =
  | Hello
  /**
   * `ackedSeq`: every reply up to it has arrived, the state machine may forget them. A number once sent is bound to its
   * ops for ever.
   */
  | {
      readonly kind: "write";
      readonly writeSeq: WriteSeq;
      readonly ackedSeq: WriteSeq | 0;
      readonly ops: readonly WriteOp[];
    }
  /**
   * In place of a write that was refused before the log: the client gives the number up. Or in place of none, where much was
   * answered and nothing follows that would acknowledge it.
   */
  | { readonly kind: "skip"; readonly writeSeq: WriteSeq; readonly ackedSeq: WriteSeq | 0 }
  /**
   * Answered after every write sent before it on this session; where one of them is refused meanwhile, after `refused` and
   * perhaps without that write and what came after it. `cxid` correlates the reply; never reused on a connection.
   */
  | {
      readonly kind: "read";
      readonly cxid: number;
      readonly consistency: "linearizable" | "local";
      readonly query: Query;
    }
  /**
   * Registers a watch. `sinceZxid` null: from the revision in the reply on. Otherwise every change after it is delivered
   * first; where the change log no longer reaches back, or the server has not come as far, `watchLost` answers.
   */
  | {
      readonly kind: "addWatch";
      readonly cxid: number;
      readonly watchId: number;
      readonly path: string;
      readonly mode: WatchMode;
      readonly withData: boolean;
      readonly sinceZxid: Zxid | null;
    }
  | { readonly kind: "removeWatch"; readonly cxid: number; readonly watchId: number }
  | { readonly kind: "ping"; readonly pingId: number }
  /** Ends the session: its ephemerals go, its locks pass on. */
  | { readonly kind: "closeSession"; readonly cxid: number };

/** What a server says. Events precede every reply that shows the state after them. */
export type ServerMessage =
  | {
      readonly kind: "welcome";
      readonly protocolVersion: number;
      readonly session: SessionId;
      readonly timeoutMs: number;
      /** Revision the server is at, at least the hello's lastZxid. */
      readonly zxid: Zxid;
      /** Last write of the session that took its place in the log. */
      readonly lastWriteSeq: WriteSeq | 0;
      readonly clusterId: string;
      readonly historyId: string;
      /** Name of the node that answered. */
      readonly node: string;
      /** Client addresses of all members. */
      readonly servers: readonly string[];
    }
  | { readonly kind: "writeReply"; readonly writeSeq: WriteSeq; readonly outcome: WriteOutcome }
  | {
      readonly kind: "readReply";
      readonly cxid: number;
      readonly zxid: Zxid;
      readonly reply:
        | { readonly ok: true; readonly value: QueryReply }
        | { readonly ok: false; readonly code: ErrorCode };
    }
  /** The watch stands: events after `zxid` (and, for a resume, those before it that were missed) follow. */
  | {
      readonly kind: "watchAdded";
      readonly cxid: number;
      readonly watchId: number;
      readonly zxid: Zxid;
    }
  | { readonly kind: "watchRemoved"; readonly cxid: number; readonly watchId: number }
  | {
      readonly kind: "watchRefused";
      readonly cxid: number;
      readonly watchId: number;
      readonly code: ErrorCode;
    }
  /** Changes after `sinceZxid` cannot all be told; the oldest resumable revision is `oldestZxid`. It stands from `zxid` on. */
  | {
      readonly kind: "watchLost";
      readonly cxid: number;
      readonly watchId: number;
      readonly oldestZxid: Zxid;
      readonly zxid: Zxid;
    }
  /** All events of one revision, each for the watches named. */
  | {
      readonly kind: "events";
      readonly zxid: Zxid;
      readonly events: readonly {
        readonly watchIds: readonly number[];
        readonly event: WatchEvent;
      }[];
    }
  /** The lock or election at directory `path` passed to this session's contender. */
  | {
      readonly kind: "granted";
      readonly zxid: Zxid;
      readonly path: string;
      readonly contender: string;
      readonly token: FencingToken;
    }
  /** The leader, in contact with a quorum, has noted that this session lives. */
  | { readonly kind: "pong"; readonly pingId: number; readonly zxid: Zxid }
  /**
   * Writes from `fromSeq` on were refused before the log, and later ones will be until the client sends from there again
   * or skips it.
   */
  | {
      readonly kind: "refused";
      readonly fromSeq: WriteSeq;
      readonly code: ErrorCode;
      readonly retryAfterMs: number;
    }
  | { readonly kind: "sessionClosed"; readonly cxid: number; readonly zxid: Zxid }
  /** The members changed: client addresses of all of them from now on. */
  | { readonly kind: "servers"; readonly servers: readonly string[] }
  /** The last message before the server closes the connection. `fatal`: the session is over or the client is at fault. */
  | {
      readonly kind: "goodbye";
      readonly code: ErrorCode;
      readonly message: string;
      readonly fatal: boolean;
      /** The server's own protocol version, for UNSUPPORTED_VERSION. */
      readonly protocolVersion: number;
    };
