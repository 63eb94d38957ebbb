import {
  matchOne,
  WatchTable,
  encodeCommand,
  type ApplyOutcome,
  type ApplyResult,
  type AttachInfo,
  type DataTree,
  type WatchHit,
} from "@quorate/kv-store";
import {
  PROTOCOL_LIMITS,
  PROTOCOL_VERSION,
  type ClientMessage,
  type ErrorCode,
  type Hello,
  type Query,
  type QueryReply,
  type SessionId,
  type WriteOutcome,
  type Zxid,
} from "@quorate/kv-store/protocol";
import type { Liveness } from "../liveness.ts";
import type { Connection, MonotonicClock } from "../ports.ts";
import type { Proposals } from "../proposals.ts";
import type { ReadIndexes, WaitingRead } from "../reads.ts";
import { ClientConnection, type ConnectionOwner } from "./client-connection.ts";
import type { OutboxLimits } from "./outbox.ts";
import { verifierKey, verifierOf } from "./verifier.ts";

type WriteMessage = Extract<ClientMessage, { readonly kind: "write" }>;
type AddWatchMessage = Extract<ClientMessage, { readonly kind: "addWatch" }>;

/** Who this node is, as it tells clients. */
export interface GatewayIdentity {
  readonly nodeId: number;
  readonly name: string;
  readonly clusterId: string;
  readonly historyId: string;
  /** Client addresses of all members, current. */
  servers(): readonly string[];
}

export interface GatewayOptions {
  readonly identity: GatewayIdentity;
  readonly outboxLimits: OutboxLimits;
  readonly clock: MonotonicClock;
  readonly proposals: Proposals;
  readonly reads: ReadIndexes;
  readonly liveness: Liveness;
  /** The tree in force; a snapshot install replaces it. */
  tree(): DataTree;
  appliedIndex(): number;
  /** Makes sure that a turn follows. */
  wake(): void;
}

interface WaitingAttach {
  readonly connection: ClientConnection;
  readonly verifier: Uint8Array;
  readonly key: string;
  /** When the client is sent elsewhere, ms on the monotonic clock. */
  readonly deadlineMs: number;
}

/** A client that has not said hello by then is let go. */
const HELLO_TIMEOUT_MS = 3_000;
/** An attach that the log has not decided by then: the client should try another server. */
const ATTACH_TIMEOUT_MS = 2_000;

/**
 * This node's clients: who is attached where, what they watch, and what they are told when an entry is applied.
 */
export class ClientGateway implements ConnectionOwner {
  readonly outboxLimits: OutboxLimits;
  readonly #options: GatewayOptions;
  readonly #watches = new WatchTable<ClientConnection>();
  readonly #connections = new Set<ClientConnection>();
  readonly #greeting = new Map<ClientConnection, number>();
  readonly #attaching = new Map<string, WaitingAttach>();
  readonly #bySession = new Map<SessionId, ClientConnection>();
  readonly #closing = new Map<SessionId, number>();
  #dirty: ClientConnection[] = [];
  readonly #dirtySet = new Set<ClientConnection>();
  readonly #reading = new Set<ClientConnection>();
  #nextId = 1;
  #stopping = false;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.outboxLimits = options.outboxLimits;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  get attachedCount(): number {
    return this.#bySession.size;
  }

  get watchCount(): number {
    return this.#watches.count;
  }

  accept(connection: Connection): void {
    if (this.#stopping) {
      connection.destroy();
      return;
    }
    const client = new ClientConnection(this.#nextId, connection, this);
    this.#nextId += 1;
    this.#connections.add(client);
    this.#greeting.set(client, this.#options.clock.nowMs() + HELLO_TIMEOUT_MS);
  }

  onHello(connection: ClientConnection, hello: Hello): void {
    this.#greeting.delete(connection);
    const { identity } = this.#options;
    if (hello.historyId !== "" && hello.historyId !== identity.historyId) {
      const text = "this ensemble has another history than the one your session belongs to";
      connection.goodbye("HISTORY_CHANGED", text, true);
      return;
    }
    const verifier = verifierOf(hello.secret);
    const key = `attach:${verifierKey(verifier)}`;
    const earlier = this.#attaching.get(key);
    this.#attaching.set(key, {
      connection,
      verifier,
      key,
      deadlineMs: this.#options.clock.nowMs() + ATTACH_TIMEOUT_MS,
    });
    earlier?.connection.goodbye("SESSION_MOVED", "attached again on another connection", false);
    const attach = this.#attachInfo(connection, hello);
    const { timeoutMs, session } = hello;
    const command =
      session === null
        ? encodeCommand({ kind: "openSession", verifier, timeoutMs, attach })
        : encodeCommand({ kind: "attach", session, verifier, timeoutMs, attach });
    this.#options.proposals.submitControl(key, command);
    this.#options.wake();
  }

  #attachInfo(connection: ClientConnection, hello: Hello): AttachInfo {
    return {
      node: this.#options.identity.nodeId,
      address: connection.connection.remote,
      principal: "",
      clientName: hello.clientName,
    };
  }

  submitWrite(connection: ClientConnection, message: WriteMessage): ErrorCode | null {
    const { writes } = connection;
    if (writes === null) return "SESSION_EXPIRED";
    const { writeSeq, ackedSeq, ops } = message;
    const { session } = writes;
    const command = encodeCommand({ kind: "write", session, writeSeq, ackedSeq, epoch: 0, ops });
    if (this.#options.proposals.isFull(command.length)) return "OVERLOADED";
    this.#options.proposals.submit(writes, writeSeq, command);
    this.#options.wake();
    return null;
  }

  requestIndex(read: WaitingRead): void {
    this.#options.reads.add(read);
    this.#options.wake();
  }

  runRead(connection: ClientConnection, cxid: number, query: Query): void {
    const tree = this.#options.tree();
    const result = tree.read(query);
    const zxid = tree.lastZxid as Zxid;
    const reply = result.ok ? result : { ok: false as const, code: result.code };
    const bytes = result.ok ? replyBytes(result.value) : 0;
    connection.send({ kind: "readReply", cxid, zxid, reply }, bytes);
  }

  addWatch(connection: ClientConnection, message: AddWatchMessage): void {
    const { cxid, watchId, path, mode, withData, sinceZxid } = message;
    const tree = this.#options.tree();
    const zxid = tree.lastZxid as Zxid;
    const refused = this.#watches.ownerCount(connection) >= PROTOCOL_LIMITS.watchesMax;
    const watch = { watchId, path, mode, withData };
    if (refused || !this.#watches.add(connection, watch)) {
      const code = refused ? "OVERLOADED" : "BAD_ARGUMENTS";
      connection.send({ kind: "watchRefused", cxid, watchId, code });
      return;
    }
    const missed = sinceZxid === null ? null : tree.changesSince(sinceZxid);
    if (missed !== null && !missed.ok) {
      const oldestZxid = missed.oldestZxid as Zxid;
      connection.send({ kind: "watchLost", cxid, watchId, oldestZxid, zxid });
      return;
    }
    connection.send({ kind: "watchAdded", cxid, watchId, zxid });
    if (missed === null) return;
    let hits: WatchHit[] = [];
    for (const change of missed.changes) {
      const event = matchOne(watch, change);
      if (event === null) continue;
      if (hits.length > 0 && hits[0]?.event.zxid !== event.zxid) {
        sendEvents(connection, hits);
        hits = [];
      }
      hits.push({ watchIds: [watchId], event });
    }
    if (hits.length > 0) sendEvents(connection, hits);
  }

  removeWatch(connection: ClientConnection, watchId: number): void {
    this.#watches.remove(connection, watchId);
  }

  ping(connection: ClientConnection, pingId: number): void {
    const { session } = connection;
    if (session === null) return;
    this.#options.liveness.ping(
      session,
      () => {
        const zxid = this.#options.tree().lastZxid as Zxid;
        connection.send({ kind: "pong", pingId, zxid });
      },
      () => {
        // Whether it is over is for the log to say; until then the client must not believe that it is alive.
      },
    );
    this.#options.wake();
  }

  closeSession(connection: ClientConnection, cxid: number): void {
    const { session } = connection;
    if (session === null) return;
    this.#closing.set(session, cxid);
    const key = `close:${session}`;
    this.#options.proposals.submitControl(key, encodeCommand({ kind: "closeSession", session }));
    this.#options.wake();
  }

  markDirty(connection: ClientConnection): void {
    if (this.#dirtySet.has(connection)) return;
    this.#dirtySet.add(connection);
    this.#dirty.push(connection);
    this.#options.wake();
  }

  markReading(connection: ClientConnection): void {
    this.#reading.add(connection);
    this.#options.wake();
  }

  onClosed(connection: ClientConnection): void {
    this.#connections.delete(connection);
    this.#greeting.delete(connection);
    this.#reading.delete(connection);
    this.#watches.dropOwner(connection);
    for (const [key, attach] of this.#attaching) {
      if (attach.connection === connection) this.#forgetAttach(key);
    }
    const { session } = connection;
    if (session === null || this.#bySession.get(session) !== connection) return;
    this.#bySession.delete(session);
    this.#options.proposals.release(session);
  }

  #forgetAttach(key: string): void {
    this.#attaching.delete(key);
    this.#options.proposals.resolveControl(key);
  }

  /** An entry was applied: events first, then whoever waited for it is answered. */
  onApplied(outcome: ApplyOutcome): void {
    if (outcome.changes.length > 0 && this.#watches.count > 0) {
      for (const [connection, hits] of this.#watches.match(outcome.changes)) {
        sendEvents(connection, hits);
      }
    }
    for (const grant of outcome.grants) {
      const { path, contender, token } = grant;
      const connection = this.#bySession.get(grant.session);
      connection?.send({ kind: "granted", zxid: outcome.zxid, path, contender, token }, path.length);
    }
    this.#onResult(outcome.result, outcome.zxid);
  }

  #onResult(result: ApplyResult, zxid: Zxid): void {
    switch (result.kind) {
      case "write":
        this.#onWriteResult(result.session, result.writeSeq, result.outcome);
        return;
      case "writeSkipped":
        this.#onWriteSkipped(result);
        return;
      case "writeRefused":
        this.#onWriteRefused(result, zxid);
        return;
      case "attached":
        this.#onAttached(result, zxid);
        return;
      case "attachRefused":
        this.#onAttachRefused(result);
        return;
      case "closed":
        for (const session of result.sessions) this.#onSessionClosed(session, result.cause, zxid);
        return;
    }
  }

  #onWriteResult(session: SessionId, writeSeq: number, outcome: WriteOutcome): void {
    const connection = this.#bySession.get(session);
    const writes = connection?.writes;
    if (connection === undefined || writes === null || writes === undefined) return;
    if (!this.#options.proposals.resolve(writes, writeSeq)) return;
    const seq = writeSeq as Extract<ApplyResult, { kind: "write" }>["writeSeq"];
    connection.send({ kind: "writeReply", writeSeq: seq, outcome }, outcomeBytes(outcome));
  }

  #onWriteSkipped(result: Extract<ApplyResult, { kind: "writeSkipped" }>): void {
    const writes = this.#bySession.get(result.session)?.writes;
    // A repeat of something older than what waits here says nothing about the rest.
    if (writes === undefined || writes === null || result.writeSeq < writes.headSeq) return;
    this.#gapped.add(writes.session);
  }

  /** Sessions whose writes met a gap in the log; sent again on the next tick, so that one loss is not sent many times. */
  readonly #gapped = new Set<SessionId>();

  #onWriteRefused(result: Extract<ApplyResult, { kind: "writeRefused" }>, zxid: Zxid): void {
    const connection = this.#bySession.get(result.session);
    if (connection === undefined) return;
    if (result.code === "SESSION_EXPIRED" || result.code === "SESSION_MOVED") {
      connection.goodbye(result.code, "the session has ended", true);
      return;
    }
    this.#onWriteResult(result.session, result.writeSeq, {
      ok: false,
      zxid,
      code: result.code,
      opIndex: -1,
    });
  }

  #onAttached(result: Extract<ApplyResult, { kind: "attached" }>, zxid: Zxid): void {
    const key = `attach:${verifierKey(result.verifier)}`;
    const here = result.node === this.#options.identity.nodeId;
    const waiting = this.#attaching.get(key);
    const former = this.#bySession.get(result.session);
    if (former !== undefined && former !== waiting?.connection) {
      if (!here || waiting !== undefined) {
        former.goodbye("SESSION_MOVED", "the session attached to another connection", false);
      }
    }
    if (!here || waiting === undefined) return;
    this.#forgetAttach(key);
    this.#welcome(waiting.connection, result, zxid);
  }

  #welcome(
    connection: ClientConnection,
    result: Extract<ApplyResult, { kind: "attached" }>,
    zxid: Zxid,
  ): void {
    const { identity, proposals } = this.#options;
    const hello = connection.hello;
    if (hello !== null && hello.lastZxid > zxid) {
      connection.goodbye("NOT_READY", "this server is behind what you have seen", false);
      return;
    }
    connection.open(proposals.adopt(result.session), result.lastWriteSeq);
    this.#bySession.set(result.session, connection);
    const servers = identity.servers();
    connection.send(
      {
        kind: "welcome",
        protocolVersion: PROTOCOL_VERSION,
        session: result.session,
        timeoutMs: result.timeoutMs,
        zxid,
        lastWriteSeq: result.lastWriteSeq,
        clusterId: identity.clusterId,
        historyId: identity.historyId,
        node: identity.name,
        servers,
      },
      servers.length * 32,
    );
  }

  #onAttachRefused(result: Extract<ApplyResult, { kind: "attachRefused" }>): void {
    const key = `attach:${verifierKey(result.verifier)}`;
    const waiting = this.#attaching.get(key);
    if (waiting === undefined) return;
    this.#forgetAttach(key);
    const fatal = result.code === "SESSION_EXPIRED";
    const text = fatal ? "the session has ended, or the secret is not its own" : "refused";
    waiting.connection.goodbye(result.code, text, fatal);
  }

  #onSessionClosed(session: SessionId, cause: "client" | "expired", zxid: Zxid): void {
    this.#options.proposals.resolveControl(`close:${session}`);
    const connection = this.#bySession.get(session);
    const cxid = this.#closing.get(session);
    this.#closing.delete(session);
    if (connection === undefined) return;
    if (cause === "client" && cxid !== undefined) {
      connection.send({ kind: "sessionClosed", cxid, zxid });
    }
    connection.goodbye("SESSION_EXPIRED", `the session was closed (${cause})`, true);
  }

  /** The tree was replaced by a snapshot: who waits for an entry that it skipped is answered from the reply window. */
  onSnapshotInstalled(): void {
    const tree = this.#options.tree();
    for (const [session, connection] of [...this.#bySession]) {
      const view = tree.session(session);
      if (view === undefined) {
        connection.goodbye("SESSION_EXPIRED", "the session has ended", true);
      } else {
        // What changed in between was not seen here change by change: watches resume on a new connection.
        connection.goodbye("NOT_READY", "this server was behind and has caught up", false);
      }
    }
    this.#options.proposals.resendAll();
  }

  /** Refuses waiting writes that `grows` says would need space, and everything after them on their sessions. */
  refuseWaiting(refuse: (command: Uint8Array) => boolean, code: ErrorCode, retryMs: number): void {
    const { proposals } = this.#options;
    for (const [session, connection] of this.#bySession) {
      const writes = proposals.sessionWrites(session);
      if (writes === undefined) continue;
      for (let at = 0; at < writes.count; at += 1) {
        const command = writes.commands[writes.head + at];
        if (command === undefined || !refuse(command)) continue;
        const fromSeq = writes.headSeq + at;
        proposals.withdraw(writes, fromSeq);
        connection.refuse(fromSeq, code, retryMs);
        break;
      }
    }
  }

  /** End of a turn: answers the reads whose time has come, then lets everything leave. */
  flush(): void {
    if (this.#reading.size > 0) this.#drainReads();
    if (this.#dirty.length === 0) return;
    const dirty = this.#dirty;
    this.#dirty = [];
    this.#dirtySet.clear();
    for (const connection of dirty) connection.flush();
  }

  #drainReads(): void {
    const appliedIndex = this.#options.appliedIndex();
    const tree = this.#options.tree();
    for (const connection of this.#reading) {
      const { session } = connection;
      const lastWriteSeq = session === null ? 0 : (tree.session(session)?.lastWriteSeq ?? 0);
      if (connection.drainReads({ appliedIndex, lastWriteSeq })) this.#reading.delete(connection);
    }
  }

  /** Time passed: lets go who kept silent too long, repeats what met a gap. */
  onTick(): void {
    const now = this.#options.clock.nowMs();
    for (const [connection, deadlineMs] of this.#greeting) {
      if (now < deadlineMs) break;
      connection.goodbye("PROTOCOL_ERROR", "no hello in time", true);
    }
    for (const attach of this.#attaching.values()) {
      if (now < attach.deadlineMs) continue;
      this.#forgetAttach(attach.key);
      attach.connection.goodbye("NOT_READY", "no quorum decided in time: try another server", false);
    }
    for (const session of this.#gapped) {
      const writes = this.#options.proposals.sessionWrites(session);
      if (writes !== undefined) this.#options.proposals.resendSession(writes);
    }
    this.#gapped.clear();
  }

  /** Says goodbye to everybody. */
  stop(): void {
    this.#stopping = true;
    for (const connection of [...this.#connections]) {
      connection.goodbye("SHUTTING_DOWN", "this server is going down", false);
    }
  }
}

function sendEvents(connection: ClientConnection, hits: readonly WatchHit[]): void {
  const zxid = hits[0]?.event.zxid;
  if (zxid === undefined) return;
  let bytes = 0;
  for (const { event } of hits) bytes += event.path.length + (event.data?.length ?? 0) + 64;
  connection.send({ kind: "events", zxid, events: hits }, bytes);
}

function replyBytes(reply: QueryReply): number {
  switch (reply.kind) {
    case "get":
      return reply.data.length + 64;
    case "children":
      return reply.names.length * 32;
    case "sessions":
      return reply.sessions.length * 128;
    case "holder":
      return 128 + (reply.holder?.data.length ?? 0);
    case "exists":
    case "contender":
    case "sync":
      return 64;
  }
}

function outcomeBytes(outcome: WriteOutcome): number {
  return outcome.ok ? outcome.replies.length * 128 : 16;
}
