import {
  decodeClientFrame,
  encodeServerFrame,
  sessionId,
  zxid,
  type ClientMessage,
  type ErrorCode,
  type Hello,
  type ServerMessage,
  type WriteReply,
  writeSeq,
} from "@quorate/kv-store/protocol";
import type { ClientPorts, Socket, SocketHandlers } from "../../../packages/client/src/ports.ts";
import { ManualClock } from "./manual-clock.ts";

type Welcome = Extract<ServerMessage, { readonly kind: "welcome" }>;
type MessageOf<K extends ClientMessage["kind"]> = Extract<ClientMessage, { readonly kind: K }>;

/** What a server does with an attempt to connect. */
export type DialAnswer = "accept" | "refuse" | "hang";

/** The server's side of one connection; a test says what it answers. */
export class FakeConnection {
  readonly server: string;
  readonly #handlers: SocketHandlers;
  readonly #isFrozen: () => boolean;
  #inbox: ClientMessage[] = [];
  frameCount = 0;
  frameBytesMax = 0;
  isOpen = true;
  /** Called with each message as it arrives; then nothing is kept for `take`. */
  onMessage: ((message: ClientMessage) => void) | null = null;

  constructor(server: string, handlers: SocketHandlers, isFrozen: () => boolean) {
    this.server = server;
    this.#handlers = handlers;
    this.#isFrozen = isFrozen;
  }

  get socket(): Socket {
    return {
      send: (frame) => this.#receive(frame),
      close: () => {
        this.isOpen = false;
      },
    };
  }

  #receive(frame: Uint8Array): void {
    if (!this.isOpen || this.#isFrozen()) return;
    this.frameCount += 1;
    this.frameBytesMax = Math.max(this.frameBytesMax, frame.length);
    for (const message of decodeClientFrame(frame.slice())) {
      if (this.onMessage === null) this.#inbox.push(message);
      else this.onMessage(message);
    }
  }

  /** Messages since the last look. */
  take(): ClientMessage[] {
    const messages = this.#inbox;
    this.#inbox = [];
    return messages;
  }

  /** Messages of one kind since the last look; the others are dropped. */
  takeKind<K extends ClientMessage["kind"]>(kind: K): MessageOf<K>[] {
    return this.take().filter((message): message is MessageOf<K> => message.kind === kind);
  }

  /** All messages in one frame. */
  send(...messages: ServerMessage[]): void {
    if (this.isOpen) this.#handlers.onFrame(encodeServerFrame(messages));
  }

  sendBytes(bytes: Uint8Array): void {
    if (this.isOpen) this.#handlers.onFrame(bytes);
  }

  welcome(changes: Partial<Welcome> = {}): void {
    this.send({ ...WELCOME, ...changes });
  }

  hello(): Hello {
    const [hello] = this.takeKind("hello");
    if (hello === undefined) throw new Error("no hello");
    return hello;
  }

  reply(seq: number, at: number, ...replies: WriteReply[]): void {
    const outcome = { ok: true, zxid: zxid(at), replies } as const;
    this.send({ kind: "writeReply", writeSeq: writeSeq(seq), outcome });
  }

  goodbye(code: ErrorCode, fatal = false): void {
    const protocolVersion = code === "UNSUPPORTED_VERSION" ? 9 : 1;
    this.send({ kind: "goodbye", code, message: "so it is", fatal, protocolVersion });
    this.cut();
  }

  /** The connection breaks. */
  cut(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#handlers.onClose("cut");
  }
}

export const WELCOME: Welcome = {
  kind: "welcome",
  protocolVersion: 1,
  session: sessionId(7),
  timeoutMs: 10_000,
  zxid: zxid(100),
  lastWriteSeq: 0,
  clusterId: "cluster",
  historyId: "history",
  node: "n1",
  servers: [],
};

/** Servers in memory: each dial makes a {@link FakeConnection}. */
export class FakeNetwork {
  readonly clock = new ManualClock();
  readonly connections: FakeConnection[] = [];
  readonly dialled: string[] = [];
  /** Frames of the client vanish: a half-open connection. */
  isFrozen = false;
  answer: (server: string) => DialAnswer = () => "accept";
  /** Called with every new connection. */
  onConnection: (connection: FakeConnection) => void = () => undefined;
  #seed: number;

  constructor(seed = 1) {
    this.#seed = seed;
  }

  get ports(): ClientPorts {
    const { clock } = this;
    const random = {
      bytes: (count: number) => Uint8Array.from({ length: count }, () => this.#random() * 256),
      fraction: () => this.#random(),
    };
    const dial = (server: string, handlers: SocketHandlers): Promise<Socket> => {
      this.dialled.push(server);
      const answer = this.answer(server);
      if (answer === "refuse") return Promise.reject(new Error("refused"));
      if (answer === "hang") return new Promise(() => undefined);
      const connection = new FakeConnection(server, handlers, () => this.isFrozen);
      this.connections.push(connection);
      this.onConnection(connection);
      return Promise.resolve(connection.socket);
    };
    return { clock, random, dialer: { dial } };
  }

  /** The newest connection. */
  get last(): FakeConnection {
    const connection = this.connections.at(-1);
    if (connection === undefined) throw new Error("nobody has connected");
    return connection;
  }

  /** Park and Miller's generator: enough to make orders differ, the same in every run. */
  #random(): number {
    this.#seed = (this.#seed * 48_271) % 2_147_483_647;
    return this.#seed / 2_147_483_647;
  }
}
