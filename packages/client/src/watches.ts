import {
  PROTOCOL_LIMITS,
  zxid as zxidOf,
  type ErrorCode,
  type ServerMessage,
  type WatchEvent,
  type WatchMode,
  type Zxid,
} from "@quorate/kv-store/protocol";
import type { WatchNotice } from "./api.ts";
import { ownedBytes, textBytes } from "./checked-op.ts";
import type { QuorateError } from "./errors.ts";
import { readFailure } from "./failure.ts";
import { reached } from "./points.ts";
import type { Send } from "./request-table.ts";

type EventsMessage = Extract<ServerMessage, { readonly kind: "events" }>;
type WatchMessage = Extract<
  ServerMessage,
  { readonly kind: "watchAdded" | "watchLost" | "watchRefused" }
>;

export interface WatchSpec {
  readonly path: string;
  readonly mode: WatchMode;
  readonly withData: boolean;
  /** Null: from now on. */
  readonly sinceZxid: Zxid | 0 | null;
}

/** Who a watch reports to. */
export interface WatchSink {
  /** The service has confirmed it; once. */
  onAdded(): void;
  onNotice(notice: WatchNotice): void;
  /** It stands no more, and not because its owner removed it. Nothing follows. */
  onEnd(error: QuorateError): void;
}

/** One watch as the table keeps it. */
export class WatchRecord {
  readonly id: number;
  readonly spec: WatchSpec;
  readonly sink: WatchSink;
  isAdded = false;
  /** Confirmed on this connection, so that everything it is told of comes before later answers. */
  isCurrent = false;
  /** Events up to here have been delivered, or lie before the watch. */
  deliveredZxid: Zxid | 0 = 0;
  /** Where to resume: nothing up to here is still to come. */
  resumeZxid: Zxid | 0 | null;
  /** Number of the message whose events were delivered last: they share one zxid. The message itself would keep its frame. */
  messageNumber = 0;

  constructor(id: number, spec: WatchSpec, sink: WatchSink) {
    this.id = id;
    this.spec = spec;
    this.sink = sink;
    this.resumeZxid = spec.sinceZxid;
    this.deliveredZxid = spec.sinceZxid ?? 0;
  }
}

/** Bytes of a watch message beside its path, at most. */
const WATCH_BYTES = 64;

/**
 * The session's watches. Each knows how far it has come and resumes from there on the next connection, so that its
 * events arrive once and in order; where the service cannot tell everything any more, a `lost` notice takes its place.
 */
export class Watches {
  readonly #records = new Map<number, WatchRecord>();
  readonly #nextCxid: () => number;
  #send: Send | null = null;
  #lastId = 0;
  #messageNumber = 0;

  constructor(nextCxid: () => number) {
    this.#nextCxid = nextCxid;
  }

  get count(): number {
    return this.#records.size;
  }

  /** Null: the session has as many watches as it may. */
  add(spec: WatchSpec, sink: WatchSink): WatchRecord | null {
    if (this.#records.size >= PROTOCOL_LIMITS.watchesMax) return null;
    this.#lastId += 1;
    const record = new WatchRecord(this.#lastId, spec, sink);
    this.#records.set(record.id, record);
    if (this.#send !== null) this.#ask(record, this.#send);
    return record;
  }

  /** Nothing is delivered any more; removing twice does nothing. */
  remove(record: WatchRecord): void {
    if (!this.#records.delete(record.id) || this.#send === null) return;
    const message = { kind: "removeWatch", cxid: this.#nextCxid(), watchId: record.id } as const;
    this.#send(message, WATCH_BYTES);
  }

  /** A new connection: every watch resumes on it. */
  attach(send: Send): void {
    this.#send = send;
    for (const record of this.#records.values()) {
      if (record.isAdded) reached("watch_resumed_on_new_connection");
      this.#ask(record, send);
    }
  }

  detach(): void {
    this.#send = null;
    for (const record of this.#records.values()) record.isCurrent = false;
  }

  onAnswer(message: WatchMessage): void {
    const record = this.#records.get(message.watchId);
    if (record === undefined) {
      reached("answer_for_removed_watch");
      return;
    }
    if (message.kind === "watchRefused") {
      this.#refuse(record, message.code);
      return;
    }
    record.isCurrent = true;
    const isFirst = !record.isAdded;
    record.isAdded = true;
    if (message.kind === "watchLost") {
      reached("watch_told_that_it_lost_events");
      const { oldestZxid, zxid } = message;
      // Also where it was to begin further on, at a revision that the service does not know.
      record.deliveredZxid = zxid;
      record.resumeZxid = zxid;
      record.sink.onNotice({ type: "lost", oldestZxid, zxid });
    } else if (record.resumeZxid === null) {
      record.deliveredZxid = laterOf(record.deliveredZxid, message.zxid);
      record.resumeZxid = message.zxid;
    }
    if (isFirst) record.sink.onAdded();
  }

  onEvents(message: EventsMessage): void {
    this.#messageNumber += 1;
    for (const { watchIds, event } of message.events) {
      for (const watchId of watchIds) {
        const record = this.#records.get(watchId);
        if (record === undefined) reached("event_for_removed_watch");
        else if (this.#isNew(record, message.zxid)) this.#deliver(record, event);
        else reached("repeated_event_dropped");
      }
    }
  }

  /**
   * The service has shown its state at `zxid`: events up to there have come before (they precede every answer that shows
   * what they announce), so watches that stand need not resume from an earlier point.
   */
  onProgress(zxid: Zxid): void {
    for (const record of this.#records.values()) {
      if (record.isCurrent && record.resumeZxid !== null && record.resumeZxid < zxid) {
        record.resumeZxid = zxid;
      }
    }
  }

  /** The session is over. */
  failAll(error: QuorateError): void {
    const records = [...this.#records.values()];
    this.#records.clear();
    for (const record of records) record.sink.onEnd(error);
  }

  #ask(record: WatchRecord, send: Send): void {
    const { path, mode, withData } = record.spec;
    const cxid = this.#nextCxid();
    const watchId = record.id;
    const sinceZxid = record.resumeZxid === null ? null : zxidOf(record.resumeZxid);
    const message = { kind: "addWatch", cxid, watchId, path, mode, withData, sinceZxid } as const;
    send(message, WATCH_BYTES + textBytes(path));
  }

  /** All events of a revision come in one message; whatever is not beyond what was delivered is a repeat. */
  #isNew(record: WatchRecord, zxid: Zxid): boolean {
    if (record.messageNumber === this.#messageNumber) return true;
    if (zxid <= record.deliveredZxid) return false;
    record.messageNumber = this.#messageNumber;
    record.deliveredZxid = zxid;
    if (record.resumeZxid === null || record.resumeZxid < zxid) record.resumeZxid = zxid;
    return true;
  }

  #refuse(record: WatchRecord, code: ErrorCode): void {
    this.#records.delete(record.id);
    record.sink.onEnd(readFailure(code, record.spec.path));
  }

  #deliver(record: WatchRecord, event: WatchEvent): void {
    const { zxid, kind, path, data, stat } = event;
    const withData = record.spec.withData && data !== undefined && stat !== undefined;
    record.sink.onNotice(
      withData
        ? { type: "event", zxid, kind, path, data: ownedBytes(data), stat }
        : { type: "event", zxid, kind, path },
    );
  }
}

function laterOf(a: Zxid | 0, b: Zxid): Zxid {
  return a === 0 || a < b ? b : a;
}
