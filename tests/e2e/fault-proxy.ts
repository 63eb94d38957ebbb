import { connect, createServer, type Server, type Socket } from "node:net";

/**
 * What happens to bytes of one direction. `hold` keeps them and delivers them later, as a slow network does; `drop` lets
 * them vanish for good, so that nothing of that connection makes sense afterwards.
 */
export type Flow = "pass" | "hold" | "drop";

/** What happens to new connections: served, closed at once, or accepted and left without an answer (half-open). */
export type Admission = "serve" | "refuse" | "ignore";

const HELD_BYTES_MAX = 16 * 1024 * 1024;

/** A TCP proxy in front of one server, for faults between a client and it. */
export class FaultProxy {
  readonly address: string;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #ignored = new Set<Socket>();
  #toServer: Flow = "pass";
  #toClient: Flow = "pass";
  #admission: Admission = "serve";

  private constructor(server: Server, target: string) {
    this.#server = server;
    const bound = server.address();
    if (bound === null || typeof bound === "string") throw new Error("the proxy has no port");
    this.address = `127.0.0.1:${bound.port}`;
    server.on("connection", (socket) => this.#accept(socket, target));
  }

  /** Listens on a free port of the loopback, in front of `target` (`host:port`). */
  static listen(target: string): Promise<FaultProxy> {
    return new Promise((resolve, reject) => {
      const server = createServer();
      server.once("error", reject);
      server.listen(0, "127.0.0.1", () => resolve(new FaultProxy(server, target)));
    });
  }

  /** Connections through it at this moment. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Sets what is named; the rest stays. What was held is delivered when its direction passes again. */
  set(faults: {
    readonly toServer?: Flow;
    readonly toClient?: Flow;
    readonly admission?: Admission;
  }): void {
    this.#toServer = faults.toServer ?? this.#toServer;
    this.#toClient = faults.toClient ?? this.#toClient;
    this.#admission = faults.admission ?? this.#admission;
    for (const pair of this.#pairs) pair.set(this.#toServer, this.#toClient);
  }

  /** Resets every connection. */
  cut(): void {
    for (const pair of this.#pairs) pair.destroy();
    for (const socket of this.#ignored) socket.destroy();
    this.#ignored.clear();
  }

  /** No traffic, no new connections; both sides are left waiting. */
  isolate(): void {
    this.set({ toServer: "drop", toClient: "drop", admission: "ignore" });
  }

  /** Cuts what an isolation has ruined and serves again. */
  heal(): void {
    this.cut();
    this.set({ toServer: "pass", toClient: "pass", admission: "serve" });
  }

  close(): Promise<void> {
    this.cut();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #accept(client: Socket, target: string): void {
    if (this.#admission === "refuse") {
      client.resetAndDestroy();
      return;
    }
    if (this.#admission === "ignore") {
      this.#ignored.add(client);
      client.on("error", () => client.destroy());
      client.once("close", () => this.#ignored.delete(client));
      return;
    }
    const pair = new Pair(client, target, () => this.#pairs.delete(pair));
    pair.set(this.#toServer, this.#toClient);
    this.#pairs.add(pair);
  }
}

/** One connection through the proxy: both of its sockets. */
class Pair {
  readonly #up: Direction;
  readonly #down: Direction;
  readonly #sockets: readonly Socket[];
  readonly #onEnd: () => void;

  constructor(client: Socket, target: string, onEnd: () => void) {
    const [host, port] = target.split(":");
    const server = connect({ host: host ?? "", port: Number(port) });
    this.#sockets = [client, server];
    this.#onEnd = onEnd;
    this.#up = new Direction(client, server);
    this.#down = new Direction(server, client);
    for (const socket of this.#sockets) {
      socket.setNoDelay(true);
      socket.on("error", () => this.destroy());
      socket.once("close", () => this.destroy());
    }
  }

  set(toServer: Flow, toClient: Flow): void {
    this.#up.set(toServer);
    this.#down.set(toClient);
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#onEnd();
  }
}

/** Bytes from one socket to the other. */
class Direction {
  readonly #to: Socket;
  #flow: Flow = "pass";
  #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(from: Socket, to: Socket) {
    this.#to = to;
    from.on("data", (bytes) => this.#onBytes(bytes));
  }

  set(flow: Flow): void {
    this.#flow = flow;
    if (flow === "hold") return;
    if (flow === "pass") for (const bytes of this.#held) this.#to.write(bytes);
    this.#held = [];
    this.#heldBytes = 0;
  }

  #onBytes(bytes: Buffer): void {
    if (this.#flow === "pass") this.#to.write(bytes);
    if (this.#flow !== "hold") return;
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > HELD_BYTES_MAX) throw new Error("the fault proxy holds too much");
    this.#held.push(bytes);
  }
}
