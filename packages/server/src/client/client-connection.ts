import {
  PROTOCOL_LIMITS,
  PROTOCOL_VERSION,
  ProtocolError,
  decodeClientFrame,
  writeSeq,
  type ClientMessage,
  type ErrorCode,
  type Hello,
  type Query,
  type ServerMessage,
  type SessionId,
} from "@quorate/kv-store/protocol";
import type { Counters } from "../observe/metrics.ts";
import { reached } from "../points.ts";
import type { Connection } from "../ports.ts";
import type { SessionWrites } from "../proposals.ts";
import type { WaitingRead } from "../reads.ts";
import { Outbox, type OutboxCounters, type OutboxLimits } from "./outbox.ts";

type WriteMessage = Extract<ClientMessage, { readonly kind: "write" }>;
type ReadMessage = Extract<ClientMessage, { readonly kind: "read" }>;
type AddWatchMessage = Extract<ClientMessage, { readonly kind: "addWatch" }>;

/** Totals that connections add to. */
export type ConnectionCounters = OutboxCounters &
  Pick<
    Counters,
    | "clientFramesIn"
    | "clientBytesIn"
    | "clientsRefused"
    | "slowConsumers"
    | "events"
    | "eventsLost"
    | "linearizableReads"
  >;

/** What a connection asks of the node behind it. */
export interface ConnectionOwner {
  readonly outboxLimits: OutboxLimits;
  readonly counters: ConnectionCounters;
  onHello(connection: ClientConnection, hello: Hello): void;
  /** Encodes and submits; null when it was taken, else why not. */
  submitWrite(connection: ClientConnection, message: WriteMessage): ErrorCode | null;
  /** A linearizable read needs an index; it is set on `read` later. */
  requestIndex(read: WaitingRead): void;
  /** Answers from the tree as it is now. */
  runRead(connection: ClientConnection, cxid: number, query: Query): void;
  addWatch(connection: ClientConnection, message: AddWatchMessage): void;
  removeWatch(connection: ClientConnection, watchId: number): void;
  ping(connection: ClientConnection, pingId: number): void;
  closeSession(connection: ClientConnection, cxid: number): void;
  /** There is something to send at the end of the turn. */
  markDirty(connection: ClientConnection): void;
  /** There are reads waiting. */
  markReading(connection: ClientConnection): void;
  onClosed(connection: ClientConnection): void;
}

/** How far along the node and this session are, for the reads that wait. */
export interface ReadProgress {
  readonly appliedIndex: number;
  readonly lastWriteSeq: number;
}

interface QueuedRead {
  readonly cxid: number;
  readonly query: Query;
  /** The session's writes up to here must have been applied. Falls where one of them is refused. */
  afterSeq: number;
  readonly wait: WaitingRead | null;
}

const REFUSED_RETRY_MS = 50;
/** Commands are a little larger than what the client counts: each by a header and the numbers of its session. */
const WAITING_BYTES_MAX = PROTOCOL_LIMITS.outstandingBytesMax + 64 * PROTOCOL_LIMITS.outstandingMax;

/**
 * One client connection: hello, then whatever the session does. Malformed input ends this connection and nothing else.
 * Reads are answered in the order they came and after the writes that came before them and were not refused.
 */
export class ClientConnection {
  readonly id: number;
  readonly connection: Connection;
  readonly outbox: Outbox;
  readonly #owner: ConnectionOwner;
  #phase: "greeting" | "attaching" | "open" | "closed" = "greeting";
  #writes: SessionWrites | null = null;
  #nextSeq = 0;
  #firstSeqMax = 1;
  #refusedFrom = 0;
  #reads: QueuedRead[] = [];
  /** Of the texts of those. */
  #readUnits = 0;
  #hello: Hello | null = null;
  /** What was said while it is held; null: it is not. */
  #held: ClientMessage[] | null = null;
  /** Answers that wait for events that come before them; null: they do not. */
  #answers: { readonly message: ServerMessage; readonly dataBytes: number }[] | null = null;

  constructor(id: number, connection: Connection, owner: ConnectionOwner) {
    this.id = id;
    this.connection = connection;
    this.#owner = owner;
    this.outbox = new Outbox(connection, owner.outboxLimits, owner.counters);
    connection.setHandlers({
      onFrame: (frame) => this.#onFrame(frame),
      onClose: () => this.#onClose(),
    });
  }

  get isOpen(): boolean {
    return this.#phase === "open";
  }

  get isClosed(): boolean {
    return this.#phase === "closed";
  }

  /** What the client said first; null before. */
  get hello(): Hello | null {
    return this.#hello;
  }

  get session(): SessionId | null {
    return this.#writes?.session ?? null;
  }

  get writes(): SessionWrites | null {
    return this.#writes;
  }

  /** The session is attached to this connection from now on. */
  open(writes: SessionWrites, lastWriteSeq: number): void {
    this.#phase = "open";
    this.#writes = writes;
    this.#firstSeqMax = lastWriteSeq + 1;
  }

  /** Whatever a client learns that is no event: it comes after the events before it. */
  send(message: ServerMessage, dataBytes = 0): void {
    if (this.#phase === "closed") return;
    if (this.#answers === null) this.tell(message, dataBytes);
    else this.#answers.push({ message, dataBytes });
  }

  /** What concerns watches waits for nothing. */
  tell(message: ServerMessage, dataBytes = 0): void {
    if (this.#phase === "closed") return;
    if (message.kind === "events") this.#owner.counters.events += message.events.length;
    else if (message.kind === "watchLost") this.#owner.counters.eventsLost += 1;
    this.outbox.push(message, dataBytes);
    this.#owner.markDirty(this);
  }

  /** Says why, then closes. */
  goodbye(code: ErrorCode, message: string, fatal: boolean): void {
    if (this.#phase === "closed") return;
    if (this.#phase !== "open") this.#owner.counters.clientsRefused += 1;
    // Whoever goes on elsewhere must not believe that it has seen what came before those answers.
    if (fatal) this.#sendAnswers();
    const protocolVersion = PROTOCOL_VERSION;
    this.outbox.push({ kind: "goodbye", code, message, fatal, protocolVersion }, message.length);
    this.outbox.flush();
    this.connection.close();
    this.#onClose();
  }

  /** End of a turn: sends what has gathered; a client that does not read is let go. */
  flush(): void {
    if (this.#phase === "closed") return;
    this.outbox.flush();
    if (this.outbox.overflowed) this.dropAsSlow();
  }

  /** It has left too much unread: another word would only be one more. */
  dropAsSlow(): void {
    if (this.#phase === "closed") return;
    reached("slow_client_let_go");
    this.#owner.counters.slowConsumers += 1;
    this.abort();
  }

  /** Ends it without another word. */
  abort(): void {
    if (this.#phase === "closed") return;
    this.connection.destroy();
    this.#onClose();
  }

  /**
   * Writes from `fromSeq` on were taken back before they reached the log. Reads that came after them are answered without them:
   * for as long as they are refused nothing else of this client would be. It hears of the refusal first, and asks again.
   */
  refuse(fromSeq: number, code: ErrorCode, retryAfterMs: number): void {
    reached("writes_refused_to_client");
    this.#refusedFrom = fromSeq;
    this.#nextSeq = fromSeq;
    for (const read of this.#reads) read.afterSeq = Math.min(read.afterSeq, fromSeq - 1);
    this.send({ kind: "refused", fromSeq: writeSeq(fromSeq), code, retryAfterMs });
  }

  /**
   * Answers the reads whose time has come; true when none is left. A client that has much to take in first gets the rest
   * later: what it asked for must not make it a slow consumer. `isTimeUp`: the rest waits for another turn.
   */
  drainReads(progress: ReadProgress, isTimeUp: () => boolean): boolean {
    if (this.#answers !== null) return this.#reads.length === 0;
    let done = 0;
    for (const read of this.#reads) {
      if (this.outbox.spareBytes === 0) {
        reached("reads_wait_for_a_client_to_read");
        break;
      }
      if (
        read.wait !== null &&
        (read.wait.index === null || read.wait.index > progress.appliedIndex)
      )
        break;
      if (read.afterSeq > progress.lastWriteSeq) break;
      this.#owner.runRead(this, read.cxid, read.query);
      this.#readUnits -= queryUnits(read.query);
      done += 1;
      if (isTimeUp()) {
        reached("reads_left_for_another_turn");
        break;
      }
    }
    if (done === this.#reads.length) this.#reads = [];
    else if (done > 0) this.#reads.splice(0, done);
    return this.#reads.length === 0;
  }

  #onFrame(frame: Uint8Array): void {
    if (this.#phase === "closed") return;
    this.#owner.counters.clientFramesIn += 1;
    this.#owner.counters.clientBytesIn += frame.length;
    let messages: readonly ClientMessage[];
    try {
      messages = decodeClientFrame(frame);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      reached("client_frame_not_understood");
      this.goodbye(error.code, error.message, true);
      return;
    }
    this.#take(messages);
  }

  #take(messages: readonly ClientMessage[]): void {
    for (const message of messages) {
      if (this.isClosed) return;
      const isHeld = this.#held !== null && (message.kind !== "addWatch" || this.#held.length > 0);
      if (isHeld) {
        reached("client_held_while_its_watches_resume");
        this.#held?.push(message);
      } else {
        this.#onMessage(message);
      }
    }
  }

  /**
   * Works on nothing until `release`, but for watches that come one after the other. What is under way is kept, more is
   * not taken in.
   */
  hold(): void {
    if (this.#held !== null) return;
    this.#held = [];
    this.connection.pause();
  }

  /** Events of the past are to be told first: until `release` it is held, and answers wait as well. */
  fallBehind(): void {
    this.hold();
    this.#answers ??= [];
  }

  /** Until `release` what it is told has to come in order. */
  get isBehind(): boolean {
    return this.#answers !== null;
  }

  /** Goes on where `hold` or `fallBehind` stopped it. */
  release(): void {
    const held = this.#held;
    if (held === null) return;
    this.#held = null;
    this.#sendAnswers();
    this.#take(held);
    // Last: a transport may hand over within this call what came after what was held.
    if (this.#held === null) this.connection.resume();
  }

  #sendAnswers(): void {
    const answers = this.#answers ?? [];
    this.#answers = null;
    for (const { message, dataBytes } of answers) this.tell(message, dataBytes);
  }

  #onMessage(message: ClientMessage): void {
    if (message.kind === "hello") {
      this.#onHello(message);
      return;
    }
    if (this.#phase !== "open") {
      this.goodbye("PROTOCOL_ERROR", `"${message.kind}" before the welcome`, true);
      return;
    }
    switch (message.kind) {
      case "write":
        this.#onWrite(message);
        return;
      case "skip":
        this.#onWrite({ ...message, kind: "write", ops: [] });
        return;
      case "read":
        this.#onRead(message);
        return;
      case "addWatch":
        this.#owner.addWatch(this, message);
        return;
      case "removeWatch":
        this.#owner.removeWatch(this, message.watchId);
        this.send({ kind: "watchRemoved", cxid: message.cxid, watchId: message.watchId });
        return;
      case "ping":
        this.#owner.ping(this, message.pingId);
        return;
      case "closeSession":
        this.#owner.closeSession(this, message.cxid);
        return;
    }
  }

  #onHello(hello: Hello): void {
    if (this.#phase !== "greeting") {
      this.goodbye("PROTOCOL_ERROR", "a second hello on one connection", true);
      return;
    }
    if (hello.protocolVersion !== PROTOCOL_VERSION) {
      const text = `this server speaks protocol version ${PROTOCOL_VERSION}, not ${hello.protocolVersion}`;
      this.goodbye("UNSUPPORTED_VERSION", text, true);
      return;
    }
    this.#phase = "attaching";
    this.#hello = hello;
    this.#owner.onHello(this, hello);
  }

  #onWrite(message: WriteMessage): void {
    const writes = this.#writes;
    if (writes === null) return;
    if (this.#refusedFrom !== 0) {
      if (message.writeSeq !== this.#refusedFrom) {
        reached("write_behind_a_refused_one_ignored");
        return;
      }
      this.#refusedFrom = 0;
    } else if (
      this.#nextSeq === 0
        ? message.writeSeq > this.#firstSeqMax
        : message.writeSeq !== this.#nextSeq
    ) {
      reached("write_number_not_due");
      const text = `write ${message.writeSeq} where ${this.#nextSeq || this.#firstSeqMax} was due`;
      this.goodbye("PROTOCOL_ERROR", text, true);
      return;
    }
    if (writes.count >= PROTOCOL_LIMITS.outstandingMax || writes.bytes > WAITING_BYTES_MAX) {
      this.goodbye("PROTOCOL_ERROR", "more unanswered writes than the protocol allows", true);
      return;
    }
    const refusal = this.#owner.submitWrite(this, message);
    if (refusal === null) this.#nextSeq = message.writeSeq + 1;
    else this.refuse(message.writeSeq, refusal, REFUSED_RETRY_MS);
  }

  #onRead(message: ReadMessage): void {
    const { cxid, query } = message;
    const units = queryUnits(query);
    if (
      this.#reads.length >= PROTOCOL_LIMITS.outstandingMax ||
      this.#readUnits + units > PROTOCOL_LIMITS.outstandingBytesMax
    ) {
      this.goodbye("PROTOCOL_ERROR", "more unanswered reads than the protocol allows", true);
      return;
    }
    this.#readUnits += units;
    const afterSeq = this.#nextSeq === 0 ? 0 : this.#nextSeq - 1;
    let wait: WaitingRead | null = null;
    if (message.consistency === "linearizable") {
      wait = { index: null, run: null };
      this.#owner.counters.linearizableReads += 1;
      this.#owner.requestIndex(wait);
    }
    this.#reads.push({ cxid, query, afterSeq, wait });
    this.#owner.markReading(this);
  }

  #onClose(): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#reads = [];
    this.#held = null;
    this.#answers = null;
    this.#owner.onClosed(this);
  }
}

/** UTF-16 units of a query's texts, never more than the bytes that its client counts. */
function queryUnits(query: Query): number {
  const units = "path" in query ? query.path.length : 0;
  return query.kind === "children" ? units + (query.after?.length ?? 0) : units;
}
