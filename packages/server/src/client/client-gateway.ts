import {
  encodeCommand,
  type ApplyOutcome,
  type ApplyResult,
  type AttachInfo,
  type Grant,
} from "@quorate/kv-store";
import {
  PROTOCOL_VERSION,
  zxid as zxidOf,
  type ClientMessage,
  type ErrorCode,
  type Hello,
  type Query,
  type SessionId,
  type WriteSeq,
  type WriteOutcome,
  type Zxid,
} from "@quorate/kv-store/protocol";
import { zeroCounters } from "../observe/metrics.ts";
import type { UnderWay } from "../observe/under-way.ts";
import { reached } from "../points.ts";
import type { Connection } from "../ports.ts";
import type { SessionWrites } from "../proposals.ts";
import type { WaitingRead } from "../reads.ts";
import { attachTimeout } from "./attach-timeout.ts";
import { Attachments } from "./attachments.ts";
import { ClientConnection, type ConnectionOwner } from "./client-connection.ts";
import { ClientWatches } from "./client-watches.ts";
import { PROTOCOL_SESSIONS, type GatewayCounters, type GatewayOptions } from "./gateway-options.ts";
import { addressBytes, outcomeBytes, replyBytes, textBytes } from "./message-bytes.ts";
import type { OutboxLimits } from "./outbox.ts";
import { Outflow } from "./outflow.ts";
import { ReadTurns } from "./read-turns.ts";
import { verifierOf } from "./verifier.ts";

type WriteMessage = Extract<ClientMessage, { readonly kind: "write" }>;
type AddWatchMessage = Extract<ClientMessage, { readonly kind: "addWatch" }>;

const closeKey = (session: SessionId): string => `close:${session}`;
/** After a refusal because a session keeps more replies than it may, ms: its client acknowledges them meanwhile. */
const WINDOW_FULL_RETRY_MS = 10;

/**
 * This node's clients: who is attached where, what they watch, and what they are told when an entry is applied.
 */
export class ClientGateway implements ConnectionOwner {
  readonly outboxLimits: OutboxLimits;
  readonly counters: GatewayCounters;
  readonly #options: GatewayOptions;
  readonly #outflow: Outflow;
  readonly #watches: ClientWatches;
  readonly #connections = new Set<ClientConnection>();
  readonly #attachments: Attachments;
  readonly #bySession = new Map<SessionId, ClientConnection>();
  /** Sessions whose clients end them, with the number of the request. */
  readonly #closing = new Map<SessionId, number>();
  readonly #reading: ReadTurns;
  #nextId = 1;
  #stopping = false;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.outboxLimits = options.outboxLimits;
    this.counters = options.counters ?? zeroCounters();
    this.#outflow = new Outflow(options.clock, options.unreadBytesMax ?? Number.MAX_SAFE_INTEGER);
    this.#attachments = new Attachments(options.clock, options.proposals);
    this.#watches = new ClientWatches(() => options.tree(), options.watchLimits);
    this.#reading = new ReadTurns(options.clock);
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  get watchCount(): number {
    return this.#watches.count;
  }

  underWay(): Pick<UnderWay, "attachesWaiting" | "closesWaiting" | "clientsReading"> {
    return {
      attachesWaiting: this.#attachments.count,
      closesWaiting: this.#closing.size,
      clientsReading: this.#reading.count,
    };
  }

  accept(connection: Connection): void {
    if (this.#stopping) {
      connection.destroy();
      return;
    }
    const client = new ClientConnection(this.#nextId, connection, this);
    this.#nextId += 1;
    this.#connections.add(client);
    this.#attachments.greet(client);
  }

  onHello(connection: ClientConnection, hello: Hello): void {
    const { identity } = this.#options;
    if (hello.historyId !== "" && hello.historyId !== identity.historyId) {
      reached("session_of_another_history");
      const text = "this ensemble has another history than the one your session belongs to";
      connection.goodbye("HISTORY_CHANGED", text, true);
      return;
    }
    if (hello.lastZxid > this.#options.tree().lastZxid) this.#attachments.holdBack(connection);
    else this.#propose(connection, hello);
  }

  #propose(connection: ClientConnection, hello: Hello): void {
    const verifier = verifierOf(hello.secret);
    const attach = this.#attachInfo(connection, hello);
    const { session } = hello;
    const bounds = this.#options.sessions ?? PROTOCOL_SESSIONS;
    const timeoutMs = attachTimeout(hello, bounds, this.#options.tree());
    const command =
      session === null
        ? encodeCommand({ kind: "openSession", verifier, timeoutMs, attach })
        : encodeCommand({ kind: "attach", session, verifier, timeoutMs, attach });
    const earlier = this.#attachments.begin(connection, verifier, command);
    if (earlier !== null) reached("attach_overtaken_by_a_later_one");
    earlier?.goodbye("SESSION_MOVED", "attached again on another connection", false);
    this.#options.wake();
  }

  /** The members changed: clients learn where they may go from now on. */
  tellServers(): void {
    const servers = this.#options.identity.servers();
    const bytes = addressBytes(servers);
    for (const connection of this.#bySession.values()) {
      connection.send({ kind: "servers", servers }, bytes);
    }
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
    if (command.length > this.#options.commandBytesMax) {
      reached("write_larger_than_the_log_takes");
      return "TOO_LARGE";
    }
    if (this.#options.proposals.isFull(command.length)) {
      reached("node_holds_too_many_proposals");
      return "OVERLOADED";
    }
    this.#options.proposals.submit(writes, writeSeq, command);
    this.counters.proposals += 1;
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
    const zxid = zxidOf(tree.lastZxid);
    const reply = result.ok ? result : { ok: false as const, code: result.code };
    const bytes = result.ok ? replyBytes(result.value) : 0;
    this.counters.reads += 1;
    connection.send({ kind: "readReply", cxid, zxid, reply }, bytes);
  }

  addWatch(connection: ClientConnection, message: AddWatchMessage): void {
    this.#watches.add(connection, message);
    this.#options.wake();
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
        const zxid = zxidOf(this.#options.tree().lastZxid);
        connection.send({ kind: "pong", pingId, zxid });
      },
      () => {
        // Whether it is over is for the log to say; until then the client must not believe that it is alive.
      },
    );
    this.#options.wake();
  }

  closeSession(connection: ClientConnection, cxid: number): void {
    const { writes } = connection;
    if (writes === null) return;
    this.#closing.set(writes.session, cxid);
    if (writes.count > 0) reached("session_end_waits_for_its_writes");
    this.#closeAfterWrites(writes);
  }

  /** The end of a session comes after its writes, also if some of those have to be sent again. */
  #closeAfterWrites(writes: SessionWrites): void {
    const { session } = writes;
    if (writes.count > 0 || !this.#closing.has(session)) return;
    const command = encodeCommand({ kind: "closeSession", session });
    this.#options.proposals.submitControl(closeKey(session), command);
    this.#options.wake();
  }

  markDirty(connection: ClientConnection): void {
    this.#outflow.add(connection);
    this.#options.wake();
  }

  markReading(connection: ClientConnection): void {
    this.#reading.add(connection);
    this.#options.wake();
  }

  onClosed(connection: ClientConnection): void {
    this.#connections.delete(connection);
    this.#reading.forget(connection);
    this.#outflow.forget(connection);
    this.#watches.drop(connection);
    this.#attachments.forget(connection);
    const { session } = connection;
    if (session === null || this.#bySession.get(session) !== connection) return;
    if ((connection.writes?.count ?? 0) > 0) reached("client_gone_with_writes_under_way");
    this.#bySession.delete(session);
    this.#options.proposals.release(session);
  }

  /** An entry was applied: events first, then who waited for it is answered, whose own grants follow: it may say that they do. */
  onApplied({ zxid, changes, grants, result }: ApplyOutcome): void {
    this.#watches.onApplied(changes);
    const author = result.kind === "write" ? result.session : 0;
    for (const grant of grants) if (grant.session !== author) this.#tell(grant, zxid);
    this.#onResult(result, zxid);
    for (const grant of grants) if (grant.session === author) this.#tell(grant, zxid);
  }

  #tell({ session, path, contender, token }: Grant, zxid: Zxid): void {
    const bytes = textBytes(path) + textBytes(contender);
    const connection = this.#bySession.get(session);
    connection?.send({ kind: "granted", zxid, path, contender, token }, bytes);
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
        if (result.opened) this.counters.sessionsOpened += 1;
        this.#onAttached(result, zxid);
        return;
      case "attachRefused":
        this.#onAttachRefused(result);
        return;
      case "closed":
        if (result.cause === "expired") this.counters.sessionsExpired += result.sessions.length;
        for (const session of result.sessions) this.#onSessionClosed(session, result.cause, zxid);
        return;
    }
  }

  #onWriteResult(session: SessionId, writeSeq: WriteSeq, outcome: WriteOutcome): void {
    const connection = this.#bySession.get(session);
    const writes = connection?.writes;
    if (connection === undefined || writes === null || writes === undefined) return;
    if (!this.#options.proposals.resolve(writes, writeSeq)) return;
    connection.send({ kind: "writeReply", writeSeq, outcome }, outcomeBytes(outcome));
    this.#closeAfterWrites(writes);
  }

  #onWriteSkipped(result: Extract<ApplyResult, { kind: "writeSkipped" }>): void {
    const connection = this.#bySession.get(result.session);
    const writes = connection?.writes;
    if (connection === undefined || writes === null || writes === undefined) return;
    // A repeat of something older than what waits here says nothing about the rest.
    if (writes.count === 0 || result.writeSeq < writes.headSeq) return;
    if (result.reason === "gap") {
      reached("write_met_a_gap_in_the_log");
      // Sent again on the next tick, so that one loss is not sent many times.
      this.#options.proposals.noteGap(writes, result.writeSeq);
    } else if (result.writeSeq === writes.headSeq) {
      reached("write_met_a_full_window");
      // The same bytes would meet a full window for ever: only its client can send it with a later acknowledgement.
      this.#refuse(connection, writes, { fromSeq: result.writeSeq, code: "OVERLOADED" });
    }
  }

  /** Takes waiting writes from `fromSeq` on back and tells the client, which sends them again or gives them up. */
  #refuse(
    connection: ClientConnection,
    writes: SessionWrites,
    refusal: { readonly fromSeq: number; readonly code: ErrorCode; readonly retryMs?: number },
  ): void {
    const { fromSeq, code, retryMs = WINDOW_FULL_RETRY_MS } = refusal;
    this.#options.proposals.withdraw(writes, fromSeq);
    connection.refuse(fromSeq, code, retryMs);
    this.#closeAfterWrites(writes);
  }

  #onWriteRefused(result: Extract<ApplyResult, { kind: "writeRefused" }>, zxid: Zxid): void {
    const connection = this.#bySession.get(result.session);
    if (connection === undefined) return;
    if (result.code === "SESSION_EXPIRED" || result.code === "SESSION_MOVED") {
      reached("write_came_after_the_end_of_its_session");
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
    const here = result.node === this.#options.identity.nodeId;
    const waiting = this.#attachments.waiting(result.verifier);
    // An attach of an earlier connection of the same client, late: that of the one that waits is still to come.
    if (here && waiting !== null && !this.#isAttachedTo(result.session, waiting)) {
      reached("late_attach_of_earlier_connection");
      return;
    }
    const former = this.#bySession.get(result.session);
    // Without anybody waiting here it is a repeat of an attach that was answered.
    if (former !== undefined && (!here || waiting !== null)) {
      reached("session_attached_elsewhere");
      former.goodbye("SESSION_MOVED", "the session attached to another connection", false);
    }
    if (here && waiting === null) reached("session_attached_while_its_client_is_gone");
    if (!here || waiting === null) return;
    this.#attachments.forget(waiting);
    this.#welcome(waiting, result, zxid);
  }

  #isAttachedTo(session: SessionId, { connection }: ClientConnection): boolean {
    return this.#options.tree().session(session)?.attach.address === connection.remote;
  }

  #welcome(
    connection: ClientConnection,
    result: Extract<ApplyResult, { kind: "attached" }>,
    zxid: Zxid,
  ): void {
    const { identity, proposals } = this.#options;
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
      addressBytes(servers) + textBytes(identity.name),
    );
  }

  #onAttachRefused(result: Extract<ApplyResult, { kind: "attachRefused" }>): void {
    const waiting = this.#attachments.waiting(result.verifier);
    if (waiting === null) return;
    reached("attach_refused_to_client");
    const fatal = result.code === "SESSION_EXPIRED";
    const text = fatal
      ? "the session has ended, or the secret is not its own"
      : "there are as many sessions as sessions-max allows";
    waiting.goodbye(result.code, text, fatal);
  }

  #onSessionClosed(session: SessionId, cause: "client" | "expired", zxid: Zxid): void {
    const connection = this.#bySession.get(session);
    const cxid = this.#closing.get(session);
    this.#forgetClosing(session);
    if (connection === undefined) return;
    if (cause === "client" && cxid !== undefined) {
      connection.send({ kind: "sessionClosed", cxid, zxid });
    }
    if (cause === "expired") reached("connected_session_expired");
    connection.goodbye("SESSION_EXPIRED", `the session was closed (${cause})`, true);
  }

  #forgetClosing(session: SessionId): void {
    if (this.#closing.delete(session)) this.#options.proposals.resolveControl(closeKey(session));
  }

  /** The tree was replaced by a snapshot: who waits for an entry that it skipped is answered from the reply window. */
  onSnapshotInstalled(): void {
    const tree = this.#options.tree();
    for (const [session, connection] of this.#bySession) {
      const view = tree.session(session);
      if (view === undefined) {
        reached("snapshot_told_of_session_end");
        connection.goodbye("SESSION_EXPIRED", "the session has ended", true);
      } else {
        reached("client_sent_away_after_snapshot");
        // What changed in between was not seen here change by change: watches resume on a new connection.
        connection.goodbye("NOT_READY", "this server was behind and has caught up", false);
      }
    }
    for (const session of this.#closing.keys()) {
      if (tree.session(session) !== undefined) continue;
      reached("snapshot_confirmed_session_close");
      this.#forgetClosing(session);
    }
    this.#options.proposals.resendAll();
  }

  /**
   * Takes back waiting writes that `refuse` names and that whoever leads did not take, and everything after them on their
   * sessions. Sends away whose attach it names.
   */
  refuseWaiting(refuse: (command: Uint8Array) => boolean, code: ErrorCode, retryMs: number): void {
    const { proposals } = this.#options;
    for (const [session, connection] of this.#bySession) {
      const writes = proposals.sessionWrites(session);
      if (writes === undefined) continue;
      for (let at = 0; at < writes.count; at += 1) {
        const command = writes.commands[writes.head + at];
        if (command === undefined || !writes.isWithdrawable(at) || !refuse(command)) continue;
        reached("waiting_write_refused");
        this.#refuse(connection, writes, { fromSeq: writes.headSeq + at, code, retryMs });
        break;
      }
    }
    for (const connection of this.#attachments.waitingWith(refuse)) {
      reached("opening_client_sent_away");
      connection.goodbye(code, "no session can be opened now", false);
    }
  }

  /** End of a turn: answers the reads whose time has come, then lets everything leave. */
  flush(): void {
    if (this.#watches.isResuming) {
      this.#watches.advance();
      if (this.#watches.isResuming) this.#options.wake();
    }
    const options = this.#options;
    for (const connection of this.#attachments.caughtUp(options.tree().lastZxid)) {
      if (connection.hello !== null) this.#propose(connection, connection.hello);
    }
    if (!this.#reading.drain(options.tree(), options.appliedIndex())) options.wake();
    if (!this.#outflow.flush()) options.wake();
  }

  /** Time passed: lets go who kept silent too long, repeats what met a gap. */
  onTick(): void {
    this.#attachments.onTick();
    this.#outflow.onTick();
    this.#options.proposals.resendGapped();
  }

  /** The node's state cannot be relied on: nobody is told anything any more. */
  abort(): void {
    this.#stopping = true;
    for (const connection of this.#connections) connection.abort();
  }

  /** Says goodbye to everybody. */
  stop(): void {
    this.#stopping = true;
    this.sendAway("SHUTTING_DOWN", "this server is going down");
  }

  /** Says goodbye to everybody who is here now: another server will do better. */
  sendAway(code: ErrorCode, text: string): void {
    for (const connection of this.#connections) connection.goodbye(code, text, false);
  }
}
