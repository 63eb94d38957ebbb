import {
  PROTOCOL_LIMITS,
  ProtocolError,
  encodeServerFrame,
  type ServerMessage,
} from "@quorate/kv-store/protocol";
import type { Connection } from "../ports.ts";

/** Bounds of what one client may leave unread. */
export interface OutboxLimits {
  /** Bytes that the network has not taken yet; beyond, the client is a slow consumer. */
  readonly bufferedBytesMax: number;
  /** Messages and estimated bytes after which a frame is sent before the turn ends. */
  readonly frameMessagesMax: number;
  readonly frameBytesMax: number;
}

/** What a message costs on the wire beside its data, bytes; a generous estimate. */
const MESSAGE_OVERHEAD_BYTES = 96;
/** Bytes of the messages of one frame, so that it stays within the protocol. */
const FRAME_BYTES_MAX = PROTOCOL_LIMITS.frameBytesMax - 16;

/**
 * The one ordered way to a client: replies and events leave in the order in which they were put here, so an event is
 * never overtaken by a reply that shows what it announces. One frame a turn, more only when a frame is full.
 */
export class Outbox {
  readonly #connection: Connection;
  readonly #limits: OutboxLimits;
  #messages: ServerMessage[] = [];
  #bytes = 0;
  #overflowed = false;

  constructor(connection: Connection, limits: OutboxLimits) {
    this.#connection = connection;
    this.#limits = limits;
  }

  /** True once the client has left more unread than it may; nothing more is sent. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  /** Bytes that may still come before the client has half of what it may leave unread; not positive: none. */
  get spareBytes(): number {
    return this.#limits.bufferedBytesMax / 2 - this.#connection.bufferedBytes - this.#bytes;
  }

  /** `dataBytes`: bytes of data and names that the message carries at most. */
  push(message: ServerMessage, dataBytes: number): void {
    if (this.#overflowed) return;
    const bytes = dataBytes + MESSAGE_OVERHEAD_BYTES;
    if (this.#bytes + bytes > FRAME_BYTES_MAX) this.flush();
    this.#messages.push(message);
    this.#bytes += bytes;
    if (
      this.#bytes >= this.#limits.frameBytesMax ||
      this.#messages.length >= this.#limits.frameMessagesMax
    ) {
      this.flush();
    }
  }

  /** Sends what has gathered. */
  flush(): void {
    if (this.#messages.length === 0 || this.#overflowed) return;
    const messages = this.#messages;
    this.#messages = [];
    this.#bytes = 0;
    try {
      this.#connection.send(encodeServerFrame(messages));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      // What cannot be said to this client must end its connection, never the node.
      this.#overflowed = true;
      return;
    }
    if (this.#connection.bufferedBytes > this.#limits.bufferedBytesMax) this.#overflowed = true;
  }
}
