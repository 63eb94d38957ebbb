import {
  PROTOCOL_LIMITS,
  ProtocolError,
  decodeServerFrame,
  encodeClientFrame,
  type ClientMessage,
  type Hello,
  type ServerMessage,
} from "@quorate/kv-store/protocol";
import { reached } from "./points.ts";
import type { ClientPorts, Socket, Timer } from "./ports.ts";

/** What a connection reports; nothing once it was closed from this side. */
export interface ConnectionEvents {
  onMessages(connection: Connection, messages: readonly ServerMessage[]): void;
  /** Once; nothing follows. */
  onEnd(connection: Connection, reason: string): void;
}

export interface ConnectionOptions {
  readonly server: string;
  /** Made when the socket is open. */
  readonly hello: () => Hello;
  readonly dialTimeoutMs: number;
  /** From the hello to the first answer. */
  readonly welcomeTimeoutMs: number;
}

/** Left of a frame for its own header, bytes. */
const FRAME_BYTES_MAX = PROTOCOL_LIMITS.frameBytesMax - 512;

/**
 * One attempt at one server and, if it succeeds, the connection: dials, says hello, turns messages into frames and back.
 * What is sent within one turn leaves in one frame, or in as few as the bounds of a frame allow.
 */
export class Connection {
  readonly server: string;
  readonly #ports: ClientPorts;
  readonly #options: ConnectionOptions;
  readonly #dialing = new AbortController();
  #events: ConnectionEvents;
  #socket: Socket | null = null;
  #timer: Timer | null = null;
  #isOver = false;
  #messages: ClientMessage[] = [];
  #bytes = 0;

  constructor(options: ConnectionOptions, ports: ClientPorts, events: ConnectionEvents) {
    this.server = options.server;
    this.#ports = ports;
    this.#options = options;
    this.#events = events;
  }

  /** Dials. */
  start(): void {
    this.#setTimer(this.#options.dialTimeoutMs, "no connection in time");
    const handlers = {
      onFrame: (frame: Uint8Array) => this.#onFrame(frame),
      onClose: (reason: string) => this.#end(reason),
    };
    void this.#ports.dialer.dial(this.server, handlers, this.#dialing.signal).then(
      (socket) => this.#onOpen(socket),
      (error: unknown) => this.#end(error instanceof Error ? error.message : String(error)),
    );
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The hello was answered: no more waiting for that, and `events` hears of everything that follows. */
  adopt(events: ConnectionEvents): void {
    this.#events = events;
    this.#clearTimer();
  }

  /** Puts a message into the current frame; `bytes` is what it needs there at most. */
  send(message: ClientMessage, bytes: number): void {
    const isFull =
      this.#messages.length >= PROTOCOL_LIMITS.frameMessagesMax ||
      this.#bytes + bytes > FRAME_BYTES_MAX;
    if (isFull) {
      reached("client_frame_full_within_a_turn");
      this.flush();
    }
    this.#messages.push(message);
    this.#bytes += bytes;
  }

  /** Sends the current frame. */
  flush(): void {
    if (this.#messages.length === 0) return;
    const messages = this.#messages;
    this.#messages = [];
    this.#bytes = 0;
    if (!this.#isOver) this.#socket?.send(encodeClientFrame(messages));
  }

  /** Gives the connection up; no event follows. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#clearTimer();
    this.#dialing.abort();
    this.#socket?.close();
  }

  #onOpen(socket: Socket): void {
    if (this.#isOver) {
      socket.close();
      return;
    }
    this.#socket = socket;
    this.#setTimer(
      this.#options.welcomeTimeoutMs,
      "no welcome in time, perhaps for want of a quorum",
    );
    socket.send(encodeClientFrame([this.#options.hello()]));
  }

  #onFrame(frame: Uint8Array): void {
    if (this.#isOver) return;
    let messages: readonly ServerMessage[];
    try {
      messages = decodeServerFrame(frame);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      reached("server_frame_not_understood");
      this.#end(`not a frame of this protocol: ${error.message}`);
      return;
    }
    this.#events.onMessages(this, messages);
  }

  #end(reason: string): void {
    if (this.#isOver) return;
    this.close();
    this.#events.onEnd(this, reason);
  }

  #setTimer(delayMs: number, reason: string): void {
    this.#clearTimer();
    this.#timer = this.#ports.clock.after(delayMs, () => this.#end(reason));
  }

  #clearTimer(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}
