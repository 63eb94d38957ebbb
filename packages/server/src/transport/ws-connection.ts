import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { Connection, ConnectionHandlers } from "../ports.ts";

const CLOSE_NORMAL = 1000;
const CLOSE_UNSUPPORTED_DATA = 1003;
const CLOSE_ABNORMAL = 1006;
/** A peer that does not answer a close is not waited for longer. */
export const CLOSE_TIMEOUT_MS = 1_000;

const SILENT: ConnectionHandlers = { onFrame: () => {}, onClose: () => {} };

/** A WebSocket as a connection of binary frames. */
export class WsConnection implements Connection {
  readonly remote: string;
  readonly #websocket: WebSocket;
  readonly #socket: Socket;
  #handlers: ConnectionHandlers;
  #isCorked = false;
  #isPaused = false;
  #isClosing = false;
  #isClosed = false;
  /** Frames that came out of the parser after a pause: it finishes the piece that it is in. */
  #held: Uint8Array[] = [];
  #reason: string | null = null;

  constructor(websocket: WebSocket, socket: Socket, handlers: ConnectionHandlers = SILENT) {
    this.#websocket = websocket;
    this.#socket = socket;
    this.#handlers = handlers;
    this.remote = remoteOf(socket);
    socket.setNoDelay(true);
    websocket.on("message", (data: Buffer, isBinary: boolean) => this.#onMessage(data, isBinary));
    // A close always follows: it tells the reason.
    websocket.on("error", (error) => {
      this.#reason ??= error.message;
    });
    websocket.on("close", (code, text) => this.#onClose(code, text.toString()));
  }

  get bufferedBytes(): number {
    return this.#websocket.bufferedAmount;
  }

  setHandlers(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
  }

  send(frame: Uint8Array): void {
    if (this.#isClosing || this.#websocket.readyState !== this.#websocket.OPEN) return;
    this.#cork();
    // What could not be sent is told by the close.
    this.#websocket.send(frame, { binary: true, compress: false }, ignore);
  }

  pause(): void {
    this.#isPaused = true;
    this.#websocket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    while (!this.#isPaused && !this.#isClosing) {
      const frame = this.#held.shift();
      if (frame === undefined) break;
      this.#handlers.onFrame(frame);
    }
    if (!this.#isPaused) this.#websocket.resume();
  }

  close(): void {
    this.#closeWith(CLOSE_NORMAL);
  }

  destroy(): void {
    this.#isClosing = true;
    this.#held = [];
    this.#websocket.terminate();
  }

  /** The same, and tells why. */
  letGo(reason: string): void {
    this.#reason ??= reason;
    this.destroy();
  }

  /** Frames sent within one callback of the event loop leave in one system call. */
  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#socket.cork();
    process.nextTick(() => {
      this.#isCorked = false;
      this.#socket.uncork();
    });
  }

  #closeWith(code: number): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#held = [];
    this.#websocket.close(code);
    // The other side's answer has to be read, or the close would wait for its timeout.
    this.#websocket.resume();
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    if (this.#isClosing) return;
    if (!isBinary) {
      this.#reason ??= "a text frame";
      this.#closeWith(CLOSE_UNSUPPORTED_DATA);
      return;
    }
    // Not a Buffer: its `slice` would not copy.
    const frame = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (this.#isPaused) this.#held.push(frame);
    else this.#handlers.onFrame(frame);
  }

  #onClose(code: number, text: string): void {
    if (this.#isClosed) return;
    this.#isClosing = true;
    this.#isClosed = true;
    this.#held = [];
    const lost = code === CLOSE_ABNORMAL ? "connection lost" : `closed with ${code}`;
    this.#handlers.onClose(this.#reason ?? (text === "" ? lost : text));
  }
}

function ignore(): void {}

function remoteOf(socket: Socket): string {
  const address = (socket.remoteAddress ?? "unknown").replace(/^::ffff:/u, "");
  const host = address.includes(":") ? `[${address}]` : address;
  return `${host}:${socket.remotePort ?? 0}`;
}
