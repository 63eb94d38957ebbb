import {
  PROTOCOL_VERSION,
  decodeServerFrame,
  encodeClientFrame,
  type ClientMessage,
  type Hello,
  type ServerMessage,
} from "@quorate/kv-store/protocol";
import { randomBytes } from "node:crypto";
import { WebSocket } from "ws";
import { poll } from "./poll.ts";

const WAIT_MS = 10_000;

/** A connection that says exactly what a test wants said, with no SDK to put it right. */
export class RawConnection {
  readonly #socket: WebSocket;
  readonly received: ServerMessage[] = [];
  closed: { readonly code: number } | null = null;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (bytes: Buffer) => this.received.push(...decodeServerFrame(bytes)));
    socket.on("close", (code) => {
      this.closed = { code };
    });
    socket.on("error", () => undefined);
  }

  /** Connects to `host:port`. */
  static open(server: string): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://${server}`, { perMessageDeflate: false });
      const connection = new RawConnection(socket);
      socket.once("open", () => resolve(connection));
      socket.once("error", reject);
    });
  }

  /** Connects and opens a session. */
  static async openSession(server: string, timeoutMs: number): Promise<RawConnection> {
    const connection = await RawConnection.open(server);
    connection.send(hello({ timeoutMs }));
    await connection.next("welcome");
    return connection;
  }

  send(...messages: readonly ClientMessage[]): void {
    this.#socket.send(encodeClientFrame(messages));
  }

  /** Returns once the kernel has taken everything sent before. */
  flushed(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.ping(undefined, undefined, (error?: Error) => {
        if (error === undefined || error === null) resolve();
        else reject(error);
      });
    });
  }

  sendBytes(bytes: Uint8Array | string): void {
    this.#socket.send(bytes);
  }

  /** The first message of a kind, now or later. */
  next<K extends ServerMessage["kind"]>(kind: K): Promise<Extract<ServerMessage, { kind: K }>> {
    const isOfKind = (message: ServerMessage): message is Extract<ServerMessage, { kind: K }> =>
      message.kind === kind;
    return poll(`a ${kind}`, WAIT_MS, () => this.received.find(isOfKind) ?? null);
  }

  async closing(): Promise<{ readonly code: number }> {
    return poll("the connection to be closed", WAIT_MS, () => this.closed);
  }

  close(): void {
    this.#socket.terminate();
  }
}

/** A hello of a new session, changed as a test wants it. */
export function hello(changes: Partial<Hello> = {}): Hello {
  return {
    kind: "hello",
    protocolVersion: PROTOCOL_VERSION,
    session: null,
    secret: randomBytes(16),
    timeoutMs: 10_000,
    lastZxid: 0,
    historyId: "",
    clientName: "raw",
    ...changes,
  };
}
