import {
  PROTOCOL_LIMITS,
  WATCH_MODES,
  type Query,
  type QueryReply,
  type SessionId,
  type SessionInfo,
  type Stat,
  type WriteOp,
  type WriteReply,
  type Zxid,
} from "@quorate/kv-store/protocol";
import type {
  CallOptions,
  Children,
  CreateOptions,
  Election,
  LockHandle,
  MultiOp,
  MultiOps,
  MultiReplies,
  QuorateClient,
  ReadOptions,
  SessionState,
  VersionOptions,
  Watch,
  WatchOptions,
} from "./api.ts";
import { ReadCall, WriteCall, type ReadResult, type WriteResult } from "./call.ts";
import { checkCallOptions } from "./cancellations.ts";
import {
  checkConsistency,
  checkOp,
  checkOps,
  checkReadPath,
  dataBytes,
  ownedBytes,
  ownedOp,
  queryBytes,
  writeBytes,
} from "./checked-op.ts";
import { QuorateError } from "./errors.ts";
import { readPages } from "./pages.ts";
import { LockElection } from "./recipes/election.ts";
import { LockDirectory } from "./recipes/lock.ts";
import type { Session } from "./session.ts";
import { shown } from "./shown.ts";
import { WatchStream } from "./watch-stream.ts";

/** The public face of a session: checks what is asked, numbers nothing, keeps nothing. */
export class SessionClient implements QuorateClient {
  readonly #session: Session;

  /** `session` is open. */
  constructor(session: Session) {
    this.#session = session;
  }

  get state(): SessionState {
    return this.#session.states.current;
  }

  get session(): SessionId {
    return this.#session.id;
  }

  get sessionTimeoutMs(): number {
    return this.#session.timeoutMs;
  }

  get livesUntil(): number {
    return this.#session.livesUntil;
  }

  get lastZxid(): Zxid | 0 {
    return this.#session.lastZxid;
  }

  get clusterId(): string {
    return this.#session.clusterId;
  }

  states(options: Pick<CallOptions, "signal"> = {}): AsyncIterable<SessionState> {
    return this.#session.states.follow(options);
  }

  create(path: string, data: Uint8Array | string = "", options?: CreateOptions): Promise<string> {
    const mode = options?.mode ?? "persistent";
    return this.#write({ kind: "create", path, data: dataBytes(data), mode }, pathOf, options);
  }

  set(path: string, data: Uint8Array | string, options?: VersionOptions): Promise<Stat> {
    const version = options?.version ?? null;
    return this.#write({ kind: "set", path, data: dataBytes(data), version }, statOf, options);
  }

  delete(path: string, options?: VersionOptions): Promise<void> {
    const version = options?.version ?? null;
    return this.#write({ kind: "delete", path, version }, nothing, options);
  }

  multi<const Kinds extends readonly MultiOp["kind"][]>(
    ops: MultiOps<Kinds>,
    options?: CallOptions,
  ): Promise<MultiReplies<Kinds>>;
  multi(ops: readonly MultiOp[], options?: CallOptions): Promise<readonly WriteReply[]> {
    const owned = Array.isArray(ops) ? ops.map(ownedOp) : [];
    const error = checkOps(owned);
    if (error !== null) return Promise.reject(error);
    const call = new WriteCall(owned, writeBytes(owned), repliesOf);
    this.#session.submit(call, options);
    return call.promise;
  }

  get(
    path: string,
    options?: ReadOptions,
  ): Promise<{ readonly data: Uint8Array; readonly stat: Stat }> {
    return this.#read({ kind: "get", path }, contentOf, options);
  }

  exists(path: string, options?: ReadOptions): Promise<Stat | null> {
    return this.#read({ kind: "exists", path }, existenceOf, options);
  }

  async children(path: string, options?: ReadOptions): Promise<Children> {
    const limit = PROTOCOL_LIMITS.pageMax;
    const pages = await readPages<ChildrenReply, string>(() => this.#session.nowMs(), options, {
      read: (after, rest) => {
        return this.#read({ kind: "children", path, after, limit }, childrenOf, rest);
      },
      next: (page) => (page.more ? (page.names.at(-1) ?? null) : null),
    });
    const stat = pages.at(-1)?.stat;
    if (stat === undefined) throw mismatch("children");
    return { names: pages.flatMap((page) => page.names), stat };
  }

  async sessions(options?: ReadOptions): Promise<readonly SessionInfo[]> {
    const limit = PROTOCOL_LIMITS.pageMax;
    const pages = await readPages<SessionsReply, SessionId>(() => this.#session.nowMs(), options, {
      read: (after, rest) => {
        return this.#read({ kind: "sessions", after: after ?? 0, limit }, sessionsOf, rest);
      },
      next: (page) => (page.more ? (page.sessions.at(-1)?.id ?? null) : null),
    });
    return pages.flatMap((page) => page.sessions);
  }

  sync(options?: CallOptions): Promise<Zxid> {
    return this.#read({ kind: "sync" }, zxidOf, options);
  }

  async watch(path: string, options: WatchOptions = {}): Promise<Watch> {
    const session = this.#session;
    const error =
      checkReadPath(path) ??
      checkCallOptions(options) ??
      checkWatch(path, options) ??
      session.checkEnd();
    if (error !== null) throw error;
    const { mode = "persistent", withData = false, sinceZxid = null } = options;
    const stream = new WatchStream({ path, mode, withData, sinceZxid }, session);
    await stream.open(options);
    return stream;
  }

  lock(path: string): LockHandle {
    return new LockDirectory(path, this.#session, this.#session.contenders);
  }

  election(path: string): Election {
    return new LockElection(path, this.#session, this.#session.contenders);
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#session.close();
  }

  #write<T>(op: WriteOp, result: WriteResult<T>, options: CallOptions | undefined): Promise<T> {
    const error = checkOp(op, 0);
    if (error !== null) return Promise.reject(error);
    const ops = [op];
    const call = new WriteCall(ops, writeBytes(ops), result);
    this.#session.submit(call, options);
    return call.promise;
  }

  #read<T>(query: Query, result: ReadResult<T>, options: ReadOptions | undefined): Promise<T> {
    const error = ("path" in query ? checkReadPath(query.path) : null) ?? checkConsistency(options);
    if (error !== null) return Promise.reject(error);
    const consistency = options?.consistency ?? "linearizable";
    const call = new ReadCall(query, consistency, queryBytes(query), result);
    this.#session.submit(call, options);
    return call.promise;
  }
}

type ChildrenReply = Extract<QueryReply, { readonly kind: "children" }>;
type SessionsReply = Extract<QueryReply, { readonly kind: "sessions" }>;

function checkWatch(path: string, options: WatchOptions): QuorateError | null {
  const { mode, withData = false, sinceZxid } = options;
  if (mode !== undefined && !WATCH_MODES.includes(mode)) {
    return new QuorateError("BAD_ARGUMENTS", `unknown watch mode ${shown(mode)}`, { path });
  }
  if (typeof withData !== "boolean") {
    return new QuorateError("BAD_ARGUMENTS", "withData must be true or false", { path });
  }
  if (sinceZxid === undefined || (Number.isSafeInteger(sinceZxid) && sinceZxid >= 0)) return null;
  return new QuorateError("BAD_ARGUMENTS", "sinceZxid is no revision", { path });
}

function pathOf([reply]: readonly WriteReply[]): string {
  if (reply?.kind !== "create") throw mismatch("create");
  return reply.path;
}

function statOf([reply]: readonly WriteReply[]): Stat {
  if (reply?.kind !== "set") throw mismatch("set");
  return reply.stat;
}

function nothing(): void {
  // A delete has no result beside having happened.
}

function repliesOf(replies: readonly WriteReply[]): readonly WriteReply[] {
  return replies;
}

function contentOf(reply: QueryReply): { readonly data: Uint8Array; readonly stat: Stat } {
  if (reply.kind !== "get") throw mismatch("get");
  return { data: ownedBytes(reply.data), stat: reply.stat };
}

function existenceOf(reply: QueryReply): Stat | null {
  if (reply.kind !== "exists") throw mismatch("exists");
  return reply.stat;
}

function childrenOf(reply: QueryReply): ChildrenReply {
  if (reply.kind !== "children") throw mismatch("children");
  return reply;
}

function sessionsOf(reply: QueryReply): SessionsReply {
  if (reply.kind !== "sessions") throw mismatch("sessions");
  return reply;
}

function zxidOf(_reply: QueryReply, zxid: Zxid): Zxid {
  return zxid;
}

function mismatch(kind: string): QuorateError {
  return new QuorateError("PROTOCOL_ERROR", `the answer to "${kind}" is of another kind`);
}
