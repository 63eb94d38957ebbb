import {
  PROTOCOL_VERSION,
  type Hello,
  type Query,
  type QueryReply,
  type ServerMessage,
  type SessionId,
  type Zxid,
} from "@quorate/kv-store/protocol";
import type { CallOptions } from "./api.ts";
import { AttemptFailures } from "./attempt-failures.ts";
import { ReadCall, type PendingRead, type PendingWrite } from "./call.ts";
import { Cancellations, type OnAbandoned } from "./cancellations.ts";
import { queryBytes } from "./checked-op.ts";
import type { Connection, ConnectionEvents } from "./connection.ts";
import { Connector, type ConnectorEvents, type Welcome } from "./connector.ts";
import { QuorateError } from "./errors.ts";
import { endOf, type AbandonCode } from "./failure.ts";
import { BLAMES_MAX, endsSession, isBlame, type Goodbye } from "./goodbye.ts";
import { Liveness } from "./liveness.ts";
import { reached } from "./points.ts";
import type { ClientPorts } from "./ports.ts";
import { Contenders } from "./recipes/contenders.ts";
import type { RecipeHost } from "./recipes/recipe-host.ts";
import { RequestTable, type Send } from "./request-table.ts";
import { SessionIdentity } from "./session-identity.ts";
import type { SessionOptions, SessionPhase } from "./session-phase.ts";
import { SessionStates } from "./session-states.ts";
import { Watches, type WatchRecord, type WatchSink, type WatchSpec } from "./watches.ts";

/** Longest that `close` waits for the service, ms: an application that ends should not hang on an ensemble that does not answer. */
const CLOSE_TIMEOUT_MAX_MS = 5_000;
/** Bytes of a message without content. */
const SMALL_BYTES = 64;

/**
 * A session with the service, over as many connections as it takes: connecting → connected ⇄ suspended → expired or
 * closed. Whether it lives is for the clock to say: once the deadline has passed without proof of life it is over, its
 * locks first, whatever a later message might claim.
 */
export class Session implements ConnectionEvents, ConnectorEvents, RecipeHost {
  readonly states: SessionStates;
  readonly contenders: Contenders = new Contenders();
  readonly cancellations: Cancellations;
  readonly #options: SessionOptions;
  readonly #ports: ClientPorts;
  readonly #connector: Connector;
  readonly #liveness: Liveness;
  readonly #requests: RequestTable;
  readonly #watches: Watches;
  readonly #identity: SessionIdentity;
  #phase: SessionPhase = { kind: "suspended" };
  /** Why it is over; null while it is not. */
  #end: QuorateError | null = null;
  #isFlushDue = false;
  /** Arrived while it was in doubt whether the session lives. */
  #unheard: ServerMessage[] = [];
  #blames = 0;
  readonly #failures = new AttemptFailures();
  #closed: Promise<void> | null = null;

  constructor(options: SessionOptions, ports: ClientPorts) {
    this.#options = options;
    this.#ports = ports;
    this.#identity = new SessionIdentity(options, ports);
    this.cancellations = new Cancellations(ports.clock);
    this.states = new SessionStates(this.cancellations);
    this.#connector = new Connector(options.servers, options.timeoutMs, ports, this);
    this.#liveness = new Liveness(ports.clock, {
      sendPing: (pingId) => {
        this.#send({ kind: "ping", pingId }, SMALL_BYTES);
        this.#requests.acknowledge();
      },
      onSilent: () => this.#drop("the server has proved nothing for too long"),
      // A lock's signal has to tell of the end before anything else happens.
      mayWait: () => !this.contenders.isHolding,
      onDeadline: () => this.#expire(LATE, this.#trouble()),
    });
    const { clock, random } = ports;
    const { cancellations } = this;
    const wake = (): void => this.#wake();
    const trouble = (): QuorateError | undefined => this.#trouble();
    this.#requests = new RequestTable({ clock, random, cancellations, wake, trouble });
    this.#watches = new Watches(() => this.#requests.nextCxid());
  }

  get id(): SessionId {
    return this.#identity.known().session;
  }

  get timeoutMs(): number {
    return this.#identity.known().timeoutMs;
  }

  get clusterId(): string {
    return this.#identity.known().clusterId;
  }

  /** The port's clock, ms. */
  nowMs(): number {
    return this.#ports.clock.nowMs();
  }

  /** On the clock of `performance.now()`, ms; -Infinity once it is over. */
  get livesUntil(): number {
    return this.#liveness.livesUntil;
  }

  get lastZxid(): Zxid | 0 {
    return this.#identity.lastZxid;
  }

  /** The session's end, null while it lives; looks at the clock first. */
  checkEnd(): QuorateError | null {
    if (this.#end === null && this.#liveness.isOver) this.#expire(LATE, this.#trouble());
    return this.#end;
  }

  /**
   * Opens the session. Codes: CONNECTION_FAILED, UNSUPPORTED_VERSION and WRONG_PORT (of all servers), ABORTED, and fatal refusals
   * of a server.
   */
  async open(signal: AbortSignal | undefined): Promise<void> {
    const timeoutMs = this.#options.connectTimeoutMs;
    const onAbandoned: OnAbandoned = (code, cause) => {
      const tried = this.#failures.text();
      this.#finish(
        "closed",
        code === "ABORTED"
          ? new QuorateError(code, `the signal aborted (${tried})`, { cause })
          : new QuorateError(
              "CONNECTION_FAILED",
              `no server took the session within ${timeoutMs} ms (${tried})`,
              { retryable: true, cause: this.#failures.refusal },
            ),
      );
    };
    const ticket = this.cancellations.watch(onAbandoned, { timeoutMs, signal });
    try {
      await new Promise<void>((resolve, reject) => {
        this.#phase = { kind: "opening", resolve, reject };
        this.#connector.start(null);
      });
    } finally {
      this.cancellations.release(ticket);
    }
    // The signal may have aborted in the turn of the welcome.
    if (this.#end !== null) throw this.#end;
  }

  submit(call: PendingWrite | PendingRead, options: CallOptions | undefined): void {
    if (this.#end === null) this.#requests.submit(call, options);
    else call.fail(endOf(this.#end, false));
  }

  submitRelease(call: PendingWrite): void {
    if (this.#end === null) this.#requests.submitAlways(call);
    else call.fail(endOf(this.#end, false));
  }

  withdraw(call: PendingWrite, code: AbandonCode, cause: unknown): QuorateError {
    return this.#requests.withdraw(call, code, cause);
  }

  ask(query: Query, options?: CallOptions): Promise<QueryReply> {
    const call = new ReadCall(query, "linearizable", queryBytes(query), (reply) => reply);
    if (this.#end === null) this.#requests.submitUrgent(call, options);
    else call.fail(endOf(this.#end, false));
    return call.promise;
  }

  addWatch(spec: WatchSpec, sink: WatchSink): WatchRecord | null {
    return this.#watches.add(spec, sink);
  }

  removeWatch(record: WatchRecord): void {
    this.#watches.remove(record);
  }

  /** Ends the session; waits for the service to confirm it, but not for long. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  hello(): Hello {
    return this.#identity.hello();
  }

  onWelcome(connection: Connection, welcome: Welcome, rest: readonly ServerMessage[]): void {
    if (this.#phase.kind === "suspended" && this.checkEnd() !== null) {
      reached("welcomed_after_the_deadline");
      connection.close();
      return;
    }
    if (!this.#identity.accepts(welcome)) {
      reached("welcome_of_another_session");
      // Whatever was opened under the secret that was sent, the same welcome would come again.
      if (this.#phase.kind === "opening") this.#identity.renew();
      connection.close();
      this.#connector.start(connection.server);
      return;
    }
    const { session, timeoutMs, servers } = welcome;
    this.#identity.learn(welcome);
    this.#connector.pace(timeoutMs);
    this.#options.servers.learn(servers);
    connection.adopt(this);
    if (this.#phase.kind === "closing") {
      this.#phase.connection = connection;
      reached("reconnected_to_close_the_session");
      this.#sendClose(connection);
      return;
    }
    const opening = this.#phase.kind === "opening" ? this.#phase : null;
    this.#attach(connection, timeoutMs, opening === null ? null : this.#identity.askedMs);
    this.states.become({ kind: "connected", server: connection.server, session });
    opening?.resolve();
    this.onMessages(connection, rest);
  }

  onTurnedAway(server: string, goodbye: Goodbye): boolean {
    if (this.#phase.kind === "opening") return this.#onOpeningRefused(server, goodbye);
    this.#onGoodbye(goodbye);
    return this.#phase.kind === "suspended" || this.#phase.kind === "closing";
  }

  onFailure(server: string, reason: string, goodbye: Goodbye | null): void {
    this.#failures.note(server, reason, goodbye);
  }

  onMessages(connection: Connection, messages: readonly ServerMessage[]): void {
    // After a pause of this process the deadline may have passed: then no message may make a lock look held.
    if (this.checkEnd() !== null && this.#phase.kind !== "closing") {
      reached("answer_after_the_deadline");
      return;
    }
    for (const message of this.#liveness.isDoubted ? this.#heardInDoubt(messages) : messages) {
      if (connection.isOver) return;
      if (this.#phase.kind === "closing") this.#onClosingMessage(message);
      else this.#onMessage(connection, message);
    }
  }

  /** What may be believed now: nothing, but for pongs, before it is clear that the session lives. */
  #heardInDoubt(messages: readonly ServerMessage[]): readonly ServerMessage[] {
    for (const message of messages) {
      if (message.kind === "pong") this.#liveness.foresee(message.pingId);
    }
    this.#unheard.push(...messages);
    return this.#liveness.isDoubted ? [] : this.#unheard.splice(0);
  }

  onEnd(connection: Connection, reason: string): void {
    if (this.#phase.kind === "closing") {
      this.#phase.connection = null;
      reached("lost_connection_while_closing");
      this.#connector.start(connection.server);
    } else {
      this.#drop(reason);
    }
  }

  #attach(connection: Connection, timeoutMs: number, askedMs: number | null): void {
    this.#phase = { kind: "connected", connection };
    this.#liveness.attach(timeoutMs, askedMs);
    this.#watches.attach(this.#send);
    this.contenders.onAttached();
    this.#wake();
  }

  #onMessage(connection: Connection, message: ServerMessage): void {
    switch (message.kind) {
      case "writeReply":
        this.#identity.note(message.outcome.zxid);
        if (message.outcome.ok || message.outcome.code !== "SESSION_EXPIRED") {
          this.#requests.onWriteReply(message);
        } else {
          reached("write_answered_session_expired");
          this.#expire("the service says so");
        }
        return;
      case "readReply":
        this.#identity.note(message.zxid);
        this.#requests.onReadReply(message);
        return;
      case "events":
        this.#identity.note(message.zxid);
        this.#watches.onEvents(message);
        return;
      case "pong":
        this.#identity.note(message.zxid);
        if (this.#liveness.onPong(message.pingId)) this.#onProof(message.zxid);
        return;
      case "granted":
        this.#identity.note(message.zxid);
        this.contenders.onGranted(message.token);
        return;
      case "watchAdded":
      case "watchLost":
        this.#identity.note(message.zxid);
        this.#watches.onAnswer(message);
        return;
      case "watchRefused":
        this.#watches.onAnswer(message);
        return;
      case "refused":
        if (message.code === "SESSION_EXPIRED") {
          reached("write_refused_session_expired");
          this.#expire("the service says so");
        } else {
          this.#requests.onRefused(message);
        }
        return;
      case "goodbye":
        connection.close();
        this.#onGoodbye(message);
        return;
      case "servers":
        reached("members_learned_while_connected");
        this.#options.servers.learn(message.servers);
        return;
      case "watchRemoved":
        return;
      case "welcome":
      case "sessionClosed":
        this.#drop(`"${message.kind}" was not asked for`);
        return;
    }
  }

  #onClosingMessage(message: ServerMessage): void {
    if (this.#phase.kind !== "closing") return;
    if (message.kind === "sessionClosed") {
      this.#identity.note(message.zxid);
      this.#phase.done();
    } else if (message.kind === "goodbye") {
      this.#onGoodbye(message);
    }
  }

  #onProof(zxid: Zxid): void {
    this.#blames = 0;
    this.#connector.settle();
    this.#watches.onProgress(zxid);
  }

  #onGoodbye(goodbye: Goodbye): void {
    const { code, message } = goodbye;
    if (code === "SESSION_MOVED") reached("attached_on_another_connection");
    if (code === "NOT_READY") reached("sent_away_as_not_ready");
    const isOver = endsSession(goodbye);
    if (isBlame(goodbye)) this.#blames += 1;
    if (this.#phase.kind === "closing") {
      const { connection, done } = this.#phase;
      connection?.close();
      if (isOver || goodbye.fatal) done();
      else if (connection !== null) this.onEnd(connection, message);
      return;
    }
    if (!isOver && this.#blames >= BLAMES_MAX) reached("session_given_up_after_blames");
    if (isOver || this.#blames >= BLAMES_MAX) {
      const cause = code === "SESSION_EXPIRED" ? undefined : new QuorateError(code, message);
      this.#expire(message, cause);
    } else if (this.#phase.kind === "connected") {
      this.#drop(`${code}: ${message}`);
    }
  }

  /** While opening; true: the next server may do better. */
  #onOpeningRefused(server: string, goodbye: Goodbye): boolean {
    const { code, message, fatal, protocolVersion } = goodbye;
    if (code === "SESSION_EXPIRED") {
      // An earlier welcome was lost and its session has ended since: another one, then.
      reached("opened_session_had_ended");
      this.#identity.renew();
      return true;
    }
    if (code === "UNSUPPORTED_VERSION" || code === "WRONG_PORT") {
      // Another server may speak as this client does, while an ensemble is upgraded node by node, or be named with the right port.
      if (this.#failures.noteForeign(server) < this.#options.servers.count) {
        reached("other_version_at_one_of_the_servers");
        return true;
      }
      const versions = `the server speaks protocol version ${protocolVersion}, this client ${PROTOCOL_VERSION}`;
      const text = code === "WRONG_PORT" ? message : versions;
      this.#finish("closed", new QuorateError(code, text));
      return false;
    }
    if (fatal) this.#finish("closed", new QuorateError(code, message));
    return !fatal;
  }

  /** The connection is of no use any more; the session is, until its deadline. */
  #drop(reason: string): void {
    if (this.#phase.kind !== "connected") return;
    const { connection } = this.#phase;
    connection.close();
    this.#phase = { kind: "suspended" };
    this.#failures.note(connection.server, reason);
    reached("session_suspended");
    this.#requests.detach();
    this.#watches.detach();
    this.#liveness.detach();
    this.#unheard = [];
    if (this.checkEnd() !== null) return;
    const until = this.livesUntil;
    this.states.become({ kind: "suspended", session: this.id, until });
    this.#connector.start(connection.server);
  }

  #expire(text: string, cause?: QuorateError): void {
    reached("session_expired_at_the_client");
    this.#finish("expired", new QuorateError("SESSION_EXPIRED", text, { cause }));
  }

  /** Nothing may be relied on from here on. Holders of locks learn it before anybody else. */
  #finish(kind: "expired" | "closed", end: QuorateError): void {
    if (this.#end !== null) return;
    this.#end = end;
    const phase = this.#phase;
    this.#phase = { kind: "over" };
    this.#tell(kind, end);
    this.#connector.stop();
    if (phase.kind === "connected") phase.connection.close();
    if (phase.kind === "opening") phase.reject(end);
  }

  #tell(kind: "expired" | "closed", end: QuorateError): void {
    this.#liveness.stop();
    this.contenders.loseAll(end);
    const { session } = this.#identity;
    this.states.become(
      kind === "expired" && session !== null ? { kind, session } : { kind: "closed" },
    );
    this.#requests.failAll(end);
    this.#watches.failAll(end);
  }

  #close(): Promise<void> {
    if (this.checkEnd() !== null) return Promise.resolve();
    const connection = this.#phase.kind === "connected" ? this.#phase.connection : null;
    const end = new QuorateError("CLOSED", "the client was closed");
    // Before anybody hears of the end: who closes the client because of it waits for the same.
    this.#closed = new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        this.#connector.stop();
        if (this.#phase.kind === "closing") this.#phase.connection?.close();
        this.#phase = { kind: "over" };
        resolve();
      };
      const waitMs = Math.min(this.timeoutMs, CLOSE_TIMEOUT_MAX_MS);
      const timer = this.#ports.clock.after(waitMs, done);
      this.#phase = { kind: "closing", connection, done };
    });
    this.#end = end;
    this.#tell("closed", end);
    if (connection !== null) this.#sendClose(connection);
    return this.#closed;
  }

  #sendClose(connection: Connection): void {
    connection.send({ kind: "closeSession", cxid: this.#requests.nextCxid() }, SMALL_BYTES);
    connection.flush();
  }

  /** What keeps calls waiting, if it is the want of a connection. */
  #trouble(): QuorateError | undefined {
    return this.#phase.kind === "connected" ? undefined : this.#failures.trouble();
  }

  readonly #send: Send = (message, bytes) => {
    if (this.#phase.kind !== "connected") return;
    this.#phase.connection.send(message, bytes);
    this.#wake();
  };

  #wake(): void {
    if (this.#isFlushDue || this.#phase.kind !== "connected") return;
    this.#isFlushDue = true;
    this.#ports.clock.endOfTurn(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushDue = false;
    if (this.#phase.kind !== "connected") return;
    const { connection } = this.#phase;
    this.#requests.flush(this.#sendNow);
    connection.flush();
  }

  /** During a flush: the frame leaves anyway. */
  readonly #sendNow: Send = (message, bytes) => {
    if (this.#phase.kind === "connected") this.#phase.connection.send(message, bytes);
  };
}

const LATE = "no proof of life in time";
