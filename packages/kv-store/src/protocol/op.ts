import type { ErrorCode } from "./error-code.ts";
import type { FencingToken, SessionId, Zxid } from "./ids.ts";
import type { Stat } from "./stat.ts";

/** How a znode lives and is named. Sequential ones get a number of their parent's counter appended. */
export const CREATE_MODES = [
  "persistent",
  "ephemeral",
  "persistentSequential",
  "ephemeralSequential",
] as const;
/** One of {@link CREATE_MODES}. */
export type CreateMode = (typeof CREATE_MODES)[number];

/** Digits of the number that a sequential znode gets. */
export const SEQUENCE_DIGITS = 10;

/** Whether znodes of this mode get a number. */
export function isSequential(mode: CreateMode): boolean {
  return mode === "persistentSequential" || mode === "ephemeralSequential";
}

/**
 * One change, or condition on a change. A write is a list of these, all or nothing. Paths arrive unchecked: the state
 * machine validates them, so that every replica refuses alike.
 */
export type WriteOp =
  | {
      readonly kind: "create";
      readonly path: string;
      readonly data: Uint8Array;
      readonly mode: CreateMode;
    }
  /** `version` null: any. */
  | {
      readonly kind: "set";
      readonly path: string;
      readonly data: Uint8Array;
      readonly version: number | null;
    }
  | { readonly kind: "delete"; readonly path: string; readonly version: number | null }
  /** Fails with NO_NODE or BAD_VERSION; changes nothing. */
  | { readonly kind: "check"; readonly path: string; readonly version: number | null }
  /** Fails with FENCED unless `token` is the current holder's of the lock directory `path`. */
  | { readonly kind: "guard"; readonly path: string; readonly token: FencingToken }
  /**
   * Lines up for the lock or election at directory `path` (created if missing, with its parents; TOO_LARGE where
   * those of one write are more than its ops may be). With `wait` false fails with LOCK_HELD instead of queueing.
   */
  | {
      readonly kind: "acquire";
      readonly path: string;
      readonly data: Uint8Array;
      readonly wait: boolean;
    }
  /** Leaves the line or gives the lock back; NO_NODE if `token` is not a contender of this session there (any more). */
  | { readonly kind: "release"; readonly path: string; readonly token: FencingToken };

/** Answer to one op, in the order of the ops. */
export type WriteReply =
  | { readonly kind: "create"; readonly path: string; readonly stat: Stat }
  | { readonly kind: "set"; readonly stat: Stat }
  | { readonly kind: "delete" }
  | { readonly kind: "check"; readonly stat: Stat }
  | { readonly kind: "guard" }
  | {
      readonly kind: "acquire";
      /** Full path of the contender znode. */
      readonly contender: string;
      readonly token: FencingToken;
      /** True: it is ours now. False: a `granted` message follows when it is. */
      readonly held: boolean;
    }
  | { readonly kind: "release" };

/** What became of a write. A failed one names the op that failed; none of its ops changed anything. */
export type WriteOutcome =
  | { readonly ok: true; readonly zxid: Zxid; readonly replies: readonly WriteReply[] }
  | {
      readonly ok: false;
      readonly zxid: Zxid;
      readonly code: ErrorCode;
      /** Index of the failing op; -1 when the write as a whole was refused. */
      readonly opIndex: number;
    };

/** One read. Lists are paged: `after` is the last name of the page before, null for the first. */
export type Query =
  | { readonly kind: "get"; readonly path: string }
  | { readonly kind: "exists"; readonly path: string }
  | {
      readonly kind: "children";
      readonly path: string;
      readonly after: string | null;
      readonly limit: number;
    }
  /** Who holds the lock or leads the election at directory `path`. */
  | { readonly kind: "holder"; readonly path: string }
  /** Where a contender stands. */
  | { readonly kind: "contender"; readonly path: string; readonly token: FencingToken }
  | { readonly kind: "sessions"; readonly after: SessionId | 0; readonly limit: number }
  /** Nothing but the revision at which it is answered. */
  | { readonly kind: "sync" };

/** A live session, as operators see it. */
export interface SessionInfo {
  readonly id: SessionId;
  readonly timeoutMs: number;
  readonly ephemeralCount: number;
  /** Remote address at the last attach. */
  readonly address: string;
  /** Name the client gave itself, or "". */
  readonly clientName: string;
  /** Id of the node it last attached to. */
  readonly attachedTo: number;
  readonly attachZxid: Zxid;
}

/** Answer to a {@link Query} of the same kind. */
export type QueryReply =
  | { readonly kind: "get"; readonly data: Uint8Array; readonly stat: Stat }
  | { readonly kind: "exists"; readonly stat: Stat | null }
  | {
      readonly kind: "children";
      /** Ascending by UTF-16 code unit. */
      readonly names: readonly string[];
      readonly more: boolean;
      readonly stat: Stat;
    }
  | {
      readonly kind: "holder";
      readonly holder: {
        readonly contender: string;
        readonly token: FencingToken;
        readonly session: SessionId;
        readonly data: Uint8Array;
      } | null;
      /** Contenders in line behind the holder. */
      readonly waiting: number;
    }
  | { readonly kind: "contender"; readonly state: "held" | "waiting" | "gone" }
  | { readonly kind: "sessions"; readonly sessions: readonly SessionInfo[]; readonly more: boolean }
  | { readonly kind: "sync" };
