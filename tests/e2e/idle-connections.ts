import { connect, type Socket } from "node:net";

/** Time between two looks for connections that were closed, ms. */
const AGAIN_MS = 50;

/** TCP connections that never say anything; one that is closed is made again. */
export class IdleConnections implements Disposable {
  readonly #at: { readonly host: string; readonly port: number };
  readonly #count: number;
  readonly #sockets = new Set<Socket>();
  readonly #timer: NodeJS.Timeout;
  /** Connections that the server did not keep. */
  closedCount = 0;

  constructor(server: string, count: number) {
    const [host = "", port] = server.split(":");
    this.#at = { host, port: Number(port) };
    this.#count = count;
    this.#timer = setInterval(() => this.#fill(), AGAIN_MS);
    this.#fill();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.destroy();
  }

  #fill(): void {
    while (this.#sockets.size < this.#count) {
      const socket = connect(this.#at);
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        this.closedCount += 1;
      });
    }
  }
}
