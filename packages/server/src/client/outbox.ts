import {
  PROTOCOL_LIMITS,
  ProtocolError,
  encodeServerFrame,
  type ServerMessage,
} from "@quorate/kv-store/protocol";
import type { Counters } from "../observe/metrics.ts";
import { reached } from "../points.ts";
import type { Connection } from "../ports.ts";
import { heapBytes } from "./message-bytes.ts";

/** Bounds of what one client may leave unread. */
export interface OutboxLimits {
  /** Bytes that the network has not taken yet; beyond, the client is a slow consumer. */
  readonly bufferedBytesMax: number;
  /** Messages and estimated bytes after which another frame is begun. */
  readonly frameMessagesMax: number;
  readonly frameBytesMax: number;
}

/** Totals that outboxes add to. */
export type OutboxCounters = Pick<Counters, "clientFramesOut" | "clientBytesOut">;

/** What a message costs on the wire beside its data, bytes; a generous estimate. */
const MESSAGE_OVERHEAD_BYTES = 96;
/** Bytes of the messages of one frame, so that it stays within the protocol. */
const FRAME_BYTES_MAX = PROTOCOL_LIMITS.frameBytesMax - 16;

/**
 * The one ordered way to a client: replies and events leave in the order in which they were put here, so an event is
 * never overtaken by a reply that shows what it announces. One frame a turn, more only when a frame is full. Messages
 * become bytes when they leave: until then what many clients are told is there once.
 */
export class Outbox {
  readonly #connection: Connection;
  readonly #limits: OutboxLimits;
  readonly #counters: OutboxCounters;
  /** Full frames that have not left, oldest first. */
  #frames: ServerMessage[][] = [];
  #messages: ServerMessage[] = [];
  /** Of the frame that is being filled. */
  #frameBytes = 0;
  /** Of everything that has not left. */
  #bytes = 0;
  #heapBytes = 0;
  #overflowed = false;

  constructor(connection: Connection, limits: OutboxLimits, counters: OutboxCounters) {
    this.#connection = connection;
    this.#limits = limits;
    this.#counters = counters;
  }

  /** True once the client has left more unread than it may; nothing more is sent. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  /** Bytes that may still come before the client has half of what it may leave unread; 0 once it has. */
  get spareBytes(): number {
    const unread = this.#connection.bufferedBytes + this.#bytes;
    return Math.max(0, this.#limits.bufferedBytesMax / 2 - unread);
  }

  /** Memory of what has not left, about; of what many clients are told, this client's part only. */
  get heapBytes(): number {
    return this.#heapBytes;
  }

  /** `dataBytes`: bytes of data and names that the message carries at most. */
  push(message: ServerMessage, dataBytes: number): void {
    if (this.#overflowed) return;
    const bytes = dataBytes + MESSAGE_OVERHEAD_BYTES;
    if (this.#frameBytes + bytes > FRAME_BYTES_MAX) this.#cut();
    this.#messages.push(message);
    this.#frameBytes += bytes;
    this.#bytes += bytes;
    this.#heapBytes += heapBytes(message);
    const { frameBytesMax, frameMessagesMax, bufferedBytesMax } = this.#limits;
    if (this.#frameBytes >= frameBytesMax || this.#messages.length >= frameMessagesMax) this.#cut();
    // Estimated high, so what has gathered is sent before it is judged.
    if (this.#bytes > bufferedBytesMax) {
      reached("outbox_sent_within_a_turn");
      this.flush();
    }
  }

  /** Sends what has gathered. */
  flush(): void {
    this.#cut();
    const frames = this.#frames;
    this.#heapBytes = 0;
    this.#frames = [];
    this.#bytes = 0;
    for (const messages of frames) {
      if (this.#overflowed) return;
      this.#send(messages);
    }
  }

  #cut(): void {
    if (this.#messages.length > 0) this.#frames.push(this.#messages);
    this.#messages = [];
    this.#frameBytes = 0;
  }

  #send(messages: readonly ServerMessage[]): void {
    let frame: Uint8Array;
    try {
      frame = encodeServerFrame(messages);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      // What cannot be said to this client must end its connection, never the node.
      this.#overflowed = true;
      return;
    }
    this.#connection.send(frame);
    this.#counters.clientFramesOut += 1;
    this.#counters.clientBytesOut += frame.length;
    if (this.#connection.bufferedBytes > this.#limits.bufferedBytesMax) {
      reached("client_left_too_much_unread");
      this.#overflowed = true;
    }
  }
}
