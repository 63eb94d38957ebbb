import type {
  CreateMode,
  ErrorCode,
  FencingToken,
  SessionId,
  SessionInfo,
  Stat,
  WatchEvent,
  WatchMode,
  WriteOp,
  WriteReply,
  Zxid,
} from "@quorate/kv-store/protocol";

/** Reasons for failure that arise in the client itself, beside the service's {@link ErrorCode}. */
export type ClientErrorCode =
  /** The call's signal aborted. A write that was already sent may still take effect. */
  | "ABORTED"
  /** The call's `timeoutMs` passed. A write that was already sent may still take effect. */
  | "TIMEOUT"
  /** `close()` was called. */
  | "CLOSED"
  /** No server of the list could be reached in time. */
  | "CONNECTION_FAILED"
  /** The lock or leadership this depends on is gone. */
  | "LOCK_LOST";

/** What {@link connect} needs to know. */
export interface ConnectOptions {
  /** `host:port`, `ws://host:port` or `wss://host:port`; tried in random order. */
  readonly servers: readonly string[];
  /** How long the session outlives silence; ms. Default 10,000; the service clamps it and `client.sessionTimeoutMs` tells. */
  readonly sessionTimeoutMs?: number | undefined;
  /** Name shown to operators in session lists. */
  readonly name?: string | undefined;
  /** Ends the attempt to connect. */
  readonly signal?: AbortSignal | undefined;
  /** How long the first connect may take; ms. Default 15,000. */
  readonly connectTimeoutMs?: number | undefined;
}

/** How long a call may take, and what ends it early. */
export interface CallOptions {
  /** Ends the waiting with ABORTED. A write that was sent may take effect all the same: `outcomeUnknown` says so. */
  readonly signal?: AbortSignal | undefined;
  /** Ends the waiting with TIMEOUT. Default: none, the call waits as long as the session lives. */
  readonly timeoutMs?: number | undefined;
}

/** How fresh a read must be. */
export interface ReadOptions extends CallOptions {
  /** `linearizable` (default): sees every write that was answered before the call. `local`: the connected server's state, never older than what this client saw. */
  readonly consistency?: "linearizable" | "local" | undefined;
}

/**
 * What the client knows of its session. `until` is on the clock of `performance.now()`; a suspend of the machine since then
 * is not in it, but in {@link QuorateClient.livesUntil}.
 */
export type SessionState =
  | { readonly kind: "connecting" }
  | { readonly kind: "connected"; readonly server: string; readonly session: SessionId }
  /** No connection; ephemerals, locks and watches still stand, at the latest until `until`. */
  | { readonly kind: "suspended"; readonly session: SessionId; readonly until: number }
  /** Ephemerals and locks are gone or about to be. Terminal. */
  | { readonly kind: "expired"; readonly session: SessionId }
  | { readonly kind: "closed" };

/** A registration for changes, which yields them in order. Leaving its loop or its `await using` scope closes it. */
export interface Watch extends AsyncIterable<WatchNotice>, AsyncDisposable {
  readonly path: string;
  readonly mode: WatchMode;
  close(): Promise<void>;
}

/** `lost`: changes up to `zxid` may have been missed; read again what matters. Events after `zxid` follow. */
export type WatchNotice =
  | (WatchEvent & { readonly type: "event" })
  | { readonly type: "lost"; readonly oldestZxid: Zxid; readonly zxid: Zxid };

/**
 * What a watch delivers, and from when on. `timeoutMs` is for the registration; `signal` ends the watch as well, whose loop
 * then throws ABORTED.
 */
export interface WatchOptions extends CallOptions {
  /** Default `persistent`. */
  readonly mode?: WatchMode | undefined;
  /** Deliver the data and stat of created and changed znodes. Default false. */
  readonly withData?: boolean | undefined;
  /**
   * Deliver every change after this revision first; 0: every change that is still known. A `lost` notice comes first where
   * that cannot be: it is too long ago, or the service has not come as far, as after it was restored from a backup. Default:
   * from now on.
   */
  readonly sinceZxid?: Zxid | 0 | undefined;
}

/** How a contender waits, and what others see of it. */
export interface LockOptions extends CallOptions {
  /** Shown to others that look at the lock; text is sent as UTF-8. Default empty. */
  readonly data?: Uint8Array | string | undefined;
}

/** How a znode is created. */
export interface CreateOptions extends CallOptions {
  /** Default `persistent`. */
  readonly mode?: CreateMode | undefined;
}

/** On which condition a znode is changed. */
export interface VersionOptions extends CallOptions {
  /** BAD_VERSION unless the znode has exactly this version. Default: any. */
  readonly version?: number | undefined;
}

/**
 * One op of a `multi`: a {@link WriteOp}, or the same with text for data (sent as UTF-8) and without what has a default:
 * no data, mode `persistent`, any version.
 */
export type MultiOp =
  | WriteOp
  | {
      readonly kind: "create";
      readonly path: string;
      readonly data?: Uint8Array | string | undefined;
      readonly mode?: CreateMode | undefined;
    }
  | {
      readonly kind: "set";
      readonly path: string;
      readonly data: Uint8Array | string;
      readonly version?: number | null | undefined;
    }
  | {
      readonly kind: "delete" | "check";
      readonly path: string;
      readonly version?: number | null | undefined;
    };

/** The ops of a `multi` by their kinds: a list written out where it is used gets answers of the same kinds. */
export type MultiOps<Kinds extends readonly MultiOp["kind"][]> = {
  readonly [I in keyof Kinds]: MultiOp & { readonly kind: Kinds[I] };
};

/** The answers to them, in the same order. */
export type MultiReplies<Kinds extends readonly MultiOp["kind"][]> = {
  readonly [I in keyof Kinds]: Extract<WriteReply, { readonly kind: Kinds[I] }>;
};

/** A lock that is held. Leaving its `await using` scope gives it back. */
export interface Lock extends AsyncDisposable {
  /** The lock's directory. */
  readonly path: string;
  readonly contender: string;
  /** Rises with every hand-over; a `guard` op with it fails as soon as somebody else may hold the lock. */
  readonly token: FencingToken;
  /**
   * Aborts, with a LOCK_LOST error as reason, before the service can hand the lock to anybody else. Two things it learns
   * of only afterwards. Somebody deleted the contender's znode by hand. Or the process or its machine stood still meanwhile:
   * then it aborts once that goes on, at the next message or call, within a quarter of the session's timeout at the latest. How
   * long a machine was suspended is seen from the wall clock: one that is set back just then hides it. A `guard` fails in
   * all of these cases.
   */
  readonly signal: AbortSignal;
  /** An op for `multi`: the rest of it happens only while this lock is held. */
  guard(): Extract<WriteOp, { readonly kind: "guard" }>;
  /** Throws LOCK_LOST unless the lock is certainly held at this moment, also right after the machine was suspended. */
  assertHeld(): void;
  /**
   * Gives the lock back. The signal aborts at once; the promise settles when the service has confirmed it or the session is
   * over. `options` limit the waiting alone: ABORTED and TIMEOUT leave the lock on its way back.
   * It takes effect after every write called before it, and waits with those that have to wait: none of them may happen when
   * somebody else holds the lock.
   */
  release(options?: CallOptions): Promise<void>;
}

/** Who leads an election, as everybody can see it. */
export interface Leader {
  readonly contender: string;
  readonly token: FencingToken;
  readonly session: SessionId;
  /** What the candidate gave as `data`. */
  readonly data: Uint8Array;
}

/** An election at one directory of the tree: of those that campaign one leads at a time. */
export interface Election {
  readonly path: string;
  /** Waits until this client leads. The result is a lock: it ends with the leadership. Codes as `LockHandle.acquire`. */
  campaign(options?: LockOptions): Promise<Lock>;
  /** Who leads now, or null. Codes: BAD_PATH. */
  leader(options?: ReadOptions): Promise<Leader | null>;
  /**
   * The leader now and after every change, also while writes of the session have to wait. The timeout is for each look at who
   * leads, the signal ends it all.
   */
  observe(options?: CallOptions): AsyncIterable<Leader | null>;
}

/**
 * A lock at one directory of the tree; nothing happens before it is acquired. It belongs to who acquired it, not to the
 * session: a second `acquire` of the same client waits for the first to be released.
 */
export interface LockHandle {
  readonly path: string;
  /**
   * Waits for the lock. An aborted or timed-out call leaves the line. Codes: BAD_PATH, RESERVED_PATH, LOCK_DIRECTORY (there
   * are ordinary znodes at `path`, or one of its parents is a lock), NO_CHILDREN_FOR_EPHEMERALS, LOCK_LOST (somebody
   * removed this contender from the line), SEQUENCE_EXHAUSTED, TOO_LARGE, TREE_FULL.
   */
  acquire(options?: LockOptions): Promise<Lock>;
  /** The lock if it is free, else null. Codes as `acquire`. */
  tryAcquire(options?: LockOptions): Promise<Lock | null>;
}

/** A znode's children and what is known of the znode itself. */
export interface Children {
  readonly names: readonly string[];
  readonly stat: Stat;
}

/**
 * One session with an ensemble, over whichever of its servers can be reached. Writes take effect in the order of their calls.
 * A read shows every write that was called before it, and may show some that were called after it. Beside the codes named
 * here every call fails with CLOSED or SESSION_EXPIRED once the session is over, with BAD_ARGUMENTS for what no caller means,
 * with OVERLOADED when far too many calls wait already, and with ABORTED or TIMEOUT where its options say so. A write waits
 * while the service is overloaded, starts or has no room on its disks; TIMEOUT then names the reason.
 */
export interface QuorateClient extends AsyncDisposable {
  readonly state: SessionState;
  readonly session: SessionId;
  readonly sessionTimeoutMs: number;
  /**
   * Until then, on the clock of `performance.now()`, the session certainly lives, and with it its ephemerals and locks: so far
   * the service has proved it. While connected it moves on every quarter of the timeout. -Infinity once the session is over.
   * Where that clock stands still while the machine is suspended, this is earlier afterwards: look at it anew each time.
   */
  readonly livesUntil: number;
  /** Highest revision seen. */
  readonly lastZxid: Zxid | 0;
  readonly clusterId: string;
  /** Every state from now on; ends after `expired` or `closed`, and throws ABORTED when its signal aborts. */
  states(options?: Pick<CallOptions, "signal">): AsyncIterable<SessionState>;
  /**
   * Returns the path, which for sequential modes has ten digits appended ("/jobs/" gives "/jobs/0000000007"). Codes:
   * BAD_PATH, RESERVED_PATH, NO_NODE (of the parent), NODE_EXISTS, NO_CHILDREN_FOR_EPHEMERALS, LOCK_DIRECTORY,
   * SEQUENCE_EXHAUSTED, TOO_LARGE (data, or the session's ephemerals), TREE_FULL.
   */
  create(path: string, data?: Uint8Array | string, options?: CreateOptions): Promise<string>;
  /** Codes: BAD_PATH, NO_NODE. */
  get(
    path: string,
    options?: ReadOptions,
  ): Promise<{ readonly data: Uint8Array; readonly stat: Stat }>;
  /** Null when there is no such znode. Codes: BAD_PATH. */
  exists(path: string, options?: ReadOptions): Promise<Stat | null>;
  /**
   * All names, ascending by code unit; fetched in pages, so not at one revision when there are more than 1,000. Codes:
   * BAD_PATH, NO_NODE.
   */
  children(path: string, options?: ReadOptions): Promise<Children>;
  /** Codes: BAD_PATH, RESERVED_PATH, NO_NODE, BAD_VERSION, TOO_LARGE, TREE_FULL. */
  set(path: string, data: Uint8Array | string, options?: VersionOptions): Promise<Stat>;
  /** Codes: BAD_PATH, RESERVED_PATH, NO_NODE, BAD_VERSION, NOT_EMPTY. */
  delete(path: string, options?: VersionOptions): Promise<void>;
  /**
   * All or nothing, in order, at one revision. Codes: those of the op that failed, `opIndex` says which; FENCED of a
   * `guard` whose lock is not held any more; TOO_LARGE for more than 1,024 ops, for more missing parents of locks to be
   * acquired, or for more than fits into a frame (4 MiB).
   */
  multi<const Kinds extends readonly MultiOp["kind"][]>(
    ops: MultiOps<Kinds>,
    options?: CallOptions,
  ): Promise<MultiReplies<Kinds>>;
  /** Waits until the connected server has caught up with everything answered before the call. */
  sync(options?: CallOptions): Promise<Zxid>;
  sessions(options?: ReadOptions): Promise<readonly SessionInfo[]>;
  /**
   * Resolves when the watch stands: what happens from then on is delivered, across reconnects, once and in order. Codes:
   * BAD_PATH, OVERLOADED (10,000 watches).
   */
  watch(path: string, options?: WatchOptions): Promise<Watch>;
  lock(path: string): LockHandle;
  election(path: string): Election;
  /**
   * Ends the session (ephemerals go, locks pass on) and the connection. What waits fails with CLOSED: await what has to
   * happen first. Resolves when the service has confirmed it, after 5 s at most; then the session ends by its timeout.
   */
  close(): Promise<void>;
}

/** Every reason for which a call fails: the service's and the client's own. */
export type QuorateErrorCode = ErrorCode | ClientErrorCode;
