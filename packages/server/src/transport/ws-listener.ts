import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Socket, type AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { WebSocketServer, type ServerOptions, type WebSocket } from "ws";
import { ServerError } from "../errors.ts";
import type { HttpResponse, ListenOptions, Listener } from "../ports.ts";
import { Inflow } from "./inflow.ts";
import { OtherSockets } from "./other-sockets.ts";
import { UnfinishedMessage } from "./unfinished-message.ts";
import { CLOSE_TIMEOUT_MS, WsConnection } from "./ws-connection.ts";

/** Requests are small and come at once from honest clients. */
const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
const TIMEOUTS_CHECKED_EVERY_MS = 1_000;
const HEADER_BYTES_MAX = 8_192;
/** Commands are short; what is longer is read to its end and not kept. */
const BODY_BYTES_MAX = 16_384;
const OTHER_SOCKETS_MAX_DEFAULT = 64;
/**
 * A frame comes in pieces of this or more on average, since no network cuts smaller ones; a piece costs about 1 KiB of its own,
 * and putting very many together stops everything else. The spare is for what begins or ends a frame.
 */
const PIECE_BYTES_MIN = 512;
const PIECES_SPARE = 64;
/** `name`, `1.2.3.4` or `[::1]`, perhaps with a port. */
const HOST_HEADER = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/iu;

/** Accepts WebSocket connections and answers plain HTTP on one port. */
export class WsListener implements Listener {
  readonly #options: ListenOptions;
  readonly #http: Server;
  readonly #websockets: WebSocketServer;
  readonly #connections = new Set<WsConnection>();
  readonly #others: OtherSockets;
  /** Connections and other sockets together. */
  readonly #socketsMax: number;
  /** Null: without a bound. */
  readonly #inflow: Inflow | null;
  #isClosed = false;

  private constructor(options: ListenOptions) {
    this.#options = options;
    const { unfinishedBytesMax } = options;
    this.#inflow = unfinishedBytesMax === undefined ? null : new Inflow(unfinishedBytesMax);
    const websocketOptions: ServerOptions & { readonly closeTimeout: number } = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.frameBytesMax,
      maxBufferedChunks: Math.ceil(options.frameBytesMax / PIECE_BYTES_MIN) + PIECES_SPARE,
      closeTimeout: CLOSE_TIMEOUT_MS,
    };
    this.#websockets = new WebSocketServer(websocketOptions);
    this.#http = createServer(
      {
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        connectionsCheckingInterval: TIMEOUTS_CHECKED_EVERY_MS,
        maxHeaderSize: HEADER_BYTES_MAX,
      },
      (request, response) => this.#onRequest(request, response),
    );
    const { connectionsMax, otherSocketsMax = OTHER_SOCKETS_MAX_DEFAULT } = options;
    this.#socketsMax = connectionsMax + otherSocketsMax;
    this.#others = new OtherSockets(Math.floor(otherSocketsMax / 2));
    // The newest would go: only for what nobody here knows of. One more has to come in before an older one goes.
    this.#http.maxConnections = this.#socketsMax + 1;
    // What connections leave free others may use: many clients may come at once, each with a handshake first.
    this.#http.on("connection", (socket: Socket) =>
      this.#others.add(socket, this.#socketsMax - this.#connections.size),
    );
    this.#http.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (socket instanceof Socket) this.#onUpgrade(request, socket, head);
      else socket.destroy();
    });
    this.#http.on("clientError", (_error, socket) => {
      socket.destroy();
    });
  }

  /** Resolves once connections are accepted. */
  static async open(options: ListenOptions): Promise<WsListener> {
    const listener = new WsListener(options);
    await listener.#listen();
    return listener;
  }

  get port(): number {
    const address = this.#http.address();
    return isAddressInfo(address) ? address.port : 0;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const closed = new Promise<void>((resolve) => {
      this.#http.close(() => resolve());
    });
    for (const connection of this.#connections) connection.close();
    this.#http.closeAllConnections();
    const patience = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, CLOSE_TIMEOUT_MS);
    await closed;
    clearTimeout(patience);
  }

  #listen(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException): void => {
        reject(listenError(`${host}:${port}`, error));
      };
      this.#http.once("error", onError);
      this.#http.listen({ host, port }, () => {
        this.#http.off("error", onError);
        // From now on an error concerns one connection that could not be accepted, for want of descriptors.
        this.#http.on("error", () => {});
        resolve();
      });
    });
  }

  #onUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    // Until the WebSocket takes over, nobody else listens for it.
    socket.on("error", () => socket.destroy());
    if (this.#isClosed || this.#connections.size >= this.#options.connectionsMax) {
      return refuse(socket, "503 Service Unavailable");
    }
    if (!hasValidHost(request)) return refuse(socket, "400 Bad Request");
    if (!this.#isAllowedOrigin(request)) return refuse(socket, "403 Forbidden");
    this.#websockets.handleUpgrade(request, socket, head, (websocket) => {
      const connection = new WsConnection(websocket, socket);
      this.#others.remove(socket);
      this.#connections.add(connection);
      const { firstFrameBytesMax } = this.#options;
      if (firstFrameBytesMax !== undefined) limitFirstFrame(websocket, socket, firstFrameBytesMax);
      this.#measure(connection, socket);
      websocket.on("close", () => {
        this.#connections.delete(connection);
        this.#inflow?.forget(connection);
      });
      this.#options.accept(connection);
    });
  }

  /** After the WebSocket has had its turn with each piece: what completes a message is not held any more. */
  #measure(connection: WsConnection, socket: Socket): void {
    const inflow = this.#inflow;
    if (inflow === null) return;
    const message = new UnfinishedMessage();
    socket.on("data", (piece: Buffer) => {
      message.take(piece);
      inflow.set(connection, message.heapBytes);
    });
  }

  #isAllowedOrigin(request: IncomingMessage): boolean {
    const { origin } = request.headers;
    return origin === undefined || this.#options.allowedOrigins.includes(origin);
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    request.on("error", () => {});
    response.on("error", () => {});
    void this.#respond(request, response);
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Also read where it is of no use, so that the answer arrives.
    const body = await readBody(request);
    this.#others.beginAnswer(request.socket);
    response.on("close", () => this.#others.endAnswer(request.socket));
    const { http } = this.#options;
    if (!hasValidHost(request)) return answer(response, plain(400, "bad host"));
    if (!this.#isAllowedOrigin(request)) return answer(response, plain(403, "origin not allowed"));
    if (http === null) return answer(response, plain(426, "WebSocket only"));
    if (body === null) return answer(response, plain(413, "the body is too long"));
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    try {
      answer(response, await http({ method: request.method ?? "GET", path, body }));
    } catch {
      answer(response, plain(500, "internal error"));
    }
  }
}

/** Null for one that is too long, or that broke off. */
async function readBody(request: IncomingMessage): Promise<Uint8Array | null> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const piece of request as AsyncIterable<Uint8Array>) {
      bytes += piece.length;
      if (bytes <= BODY_BYTES_MAX) pieces.push(piece);
    }
  } catch {
    return null;
  }
  return bytes <= BODY_BYTES_MAX ? Buffer.concat(pieces) : null;
}

function answer(response: ServerResponse, content: HttpResponse): void {
  const { body } = content;
  const isText = typeof body === "string";
  response.writeHead(content.status, {
    "content-type": content.contentType,
    ...(isText && { "content-length": Buffer.byteLength(body) }),
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
  });
  if (isText) response.end(body);
  // What fails half-way can only be told by an end that does not come.
  else pipeline(body, response).catch(() => response.destroy());
}

function plain(status: number, body: string): HttpResponse {
  return { status, contentType: "text/plain; charset=utf-8", body: `${body}\n` };
}

/** Answers, then is done with the socket: whoever keeps its own side open must not keep this one. */
function refuse(socket: Socket, status: string): void {
  const answered = `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`;
  socket.end(answered, () => socket.destroy());
}

/** What belongs to an incomplete frame is kept in memory: of a stranger it must not be much. */
function limitFirstFrame(websocket: WebSocket, socket: Socket, bytesMax: number): void {
  let left = bytesMax;
  const onData = (bytes: Buffer): void => {
    left -= bytes.length;
    if (left < 0) websocket.terminate();
  };
  socket.on("data", onData);
  websocket.once("message", () => {
    // The bytes that completed it may carry more: they still come to `onData`.
    left = Number.MAX_SAFE_INTEGER;
    socket.off("data", onData);
  });
}

function hasValidHost(request: IncomingMessage): boolean {
  return HOST_HEADER.test(request.headers.host ?? "");
}

function isAddressInfo(address: AddressInfo | string | null): address is AddressInfo {
  return typeof address === "object" && address !== null;
}

/** What to do about it. */
const LISTEN_HINTS: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: "; this machine has no such address: name one of its own to listen on",
  EACCES: "; ports below 1024 take privileges: choose another one",
  ENOTFOUND: "; nothing knows a host of that name: mind the spelling, or give its address",
};

function listenError(address: string, error: NodeJS.ErrnoException): ServerError {
  const reason = error.code ?? error.message;
  if (error.code === "EADDRINUSE") {
    return new ServerError("ADDRESS_IN_USE", `${address} is in use by another program`, error);
  }
  const hint = LISTEN_HINTS[reason] ?? "";
  const text = `cannot listen on ${address}: ${reason}${hint}`;
  return new ServerError("ADDRESS_UNAVAILABLE", text, error);
}
