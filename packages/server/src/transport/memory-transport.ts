import { ServerError } from "../errors.ts";
import type {
  Connection,
  ConnectionHandlers,
  DialOptions,
  ListenOptions,
  Listener,
  MonotonicClock,
  Transport,
} from "../ports.ts";
import { MemoryConnection } from "./memory-connection.ts";
import { MemoryPipe, type PipeItem } from "./memory-pipe.ts";

const FIRST_FREE_PORT = 10_001;

/** Something that is to happen at the other end of a connection, for whoever decides when. */
export interface Delivery {
  /** Names of the parties, and which of their connections: both directions have the same number. */
  readonly from: string;
  readonly to: string;
  readonly connection: number;
  readonly kind: "open" | "frame" | "close";
  readonly bytes: number;
  /** Makes it happen: at once, or as soon as everything that was sent before it in this direction has happened. */
  deliver(): void;
}

export interface MemoryNetworkOptions {
  readonly clock: MonotonicClock;
  /** Decides when deliveries happen. Default: at the end of the turn in which they were sent. */
  readonly schedule?: (delivery: Delivery) => void;
}

/**
 * A network between parties of one process. Each party has a name that stands for its host; connections keep their order
 * and lose nothing unless they are cut, as with TCP.
 */
export class MemoryNetwork {
  readonly #clock: MonotonicClock;
  readonly #schedule: (delivery: Delivery) => void;
  readonly #listeners = new Map<string, MemoryListener>();
  readonly #connections = new Set<MemoryConnection>();
  readonly #pipes = new Set<MemoryPipe>();
  readonly #blocked = new Set<string>();
  readonly #paused = new Set<string>();
  #due: Delivery[] = [];
  #nextPort = FIRST_FREE_PORT;
  #nextConnection = 1;

  constructor(options: MemoryNetworkOptions) {
    this.#clock = options.clock;
    this.#schedule = options.schedule ?? ((delivery) => this.#atEndOfTurn(delivery));
  }

  /** What the party with this name uses. Whatever host it listens on, others reach it under its name. */
  transport(party: string): Transport {
    return {
      listen: (options) => this.#listen(party, options),
      dial: (options) => this.#dial(party, options),
    };
  }

  /** Connections of a party, those on their way to come about or to end included. */
  connectionsOf(party: string): number {
    let count = 0;
    for (const { local } of this.#connections) if (local === party) count += 1;
    return count;
  }

  /** Breaks every connection between two parties; both see a close. */
  cut(a: string, b: string): void {
    for (const connection of [...this.#connections]) {
      const { local, other } = connection;
      if ((local === a && other === b) || (local === b && other === a)) connection.lose("cut");
    }
  }

  /**
   * Every connection between two parties is half open: `to` sees a close, `from` believes that it is there, hears nothing
   * any more, and sends to nobody.
   */
  halfOpen(from: string, to: string): void {
    for (const connection of [...this.#connections]) {
      const { local, other } = connection;
      if (local === to && other === from) connection.vanish("reset");
    }
  }

  /** Breaks every connection of a party, and nobody answers for it any more: its process ended. */
  drop(party: string): void {
    this.#silence(party);
    for (const connection of [...this.#connections]) {
      if (connection.local === party || connection.other === party) connection.lose("reset");
    }
  }

  /** The same, but what it had sent arrives before others see their connections break: its machine goes on. */
  dropAfterSent(party: string): void {
    this.#silence(party);
    for (const connection of [...this.#connections]) {
      if (connection.local === party && connection.isInUse) connection.end("reset");
    }
  }

  #silence(party: string): void {
    for (const [address, listener] of [...this.#listeners]) {
      if (listener.party === party) this.#listeners.delete(address);
    }
  }

  /** What one sends to the other waits from now on, and nobody is told: a half-open connection. */
  block(from: string, to: string): void {
    this.#blocked.add(directionOf(from, to));
  }

  unblock(from: string, to: string): void {
    this.#blocked.delete(directionOf(from, to));
    this.#drain();
  }

  /** What is sent to a party waits: its process stands still. */
  pause(party: string): void {
    this.#paused.add(party);
  }

  resume(party: string): void {
    this.#paused.delete(party);
    this.#drain();
  }

  async #listen(party: string, options: ListenOptions): Promise<Listener> {
    const port = options.port === 0 ? this.#freePort() : options.port;
    const address = addressOf(party, port);
    if (this.#listeners.has(address)) {
      throw new ServerError("ADDRESS_IN_USE", `${address} is in use`);
    }
    const listener = new MemoryListener(party, port, options, () => {
      this.#listeners.delete(address);
    });
    this.#listeners.set(address, listener);
    return listener;
  }

  #dial(party: string, options: DialOptions): Promise<Connection> {
    const address = addressOf(options.host, options.port);
    return new Promise((resolve, reject) => {
      const fail = (reason: string): void => {
        timeout.cancel();
        reject(new ServerError("CONNECT_FAILED", `cannot connect to ${address}: ${reason}`));
      };
      const timeout = this.#clock.after(options.timeoutMs, () => {
        near.abandon();
        fail("timed out");
      });
      const { near, far } = this.#pair(party, options);
      const refuse = (): void => {
        near.abandon();
        far.abandon();
        fail("refused");
      };
      near.carry({
        kind: "open",
        run: () => {
          const listener = this.#listeners.get(address);
          if (listener === undefined || !listener.takes(far)) {
            far.carry({ kind: "open", run: refuse });
            return;
          }
          far.carry({
            kind: "open",
            run: () => {
              timeout.cancel();
              resolve(near);
            },
          });
          listener.accept(far);
        },
      });
    });
  }

  #pair(
    party: string,
    options: DialOptions,
  ): { readonly near: MemoryConnection; readonly far: MemoryConnection } {
    const id = this.#nextConnection;
    this.#nextConnection += 1;
    let near: MemoryConnection | null = null;
    let far: MemoryConnection | null = null;
    const outward = this.#pipe(party, options.host, () => far);
    const inward = this.#pipe(options.host, party, () => near);
    const carry = (pipe: MemoryPipe, item: PipeItem): void => this.#carry(pipe, id, item);
    const later = (callback: () => void): void => this.#clock.endOfTurn(callback);
    const gone = (connection: MemoryConnection): void => {
      this.#connections.delete(connection);
      if (near?.isClosed === true && far?.isClosed === true) {
        this.#pipes.delete(outward);
        this.#pipes.delete(inward);
      }
    };
    near = new MemoryConnection({
      local: party,
      remote: addressOf(options.host, options.port),
      other: options.host,
      out: outward,
      into: inward,
      carry,
      later,
      gone,
      frameBytesMax: options.frameBytesMax,
      handlers: options.handlers,
    });
    far = new MemoryConnection({
      local: options.host,
      remote: addressOf(party, id),
      other: party,
      out: inward,
      into: outward,
      carry,
      later,
      gone,
      frameBytesMax: Number.MAX_SAFE_INTEGER,
      handlers: null,
    });
    this.#connections.add(near).add(far);
    return { near, far };
  }

  #pipe(from: string, to: string, receiver: () => ConnectionHandlers | null): MemoryPipe {
    const direction = directionOf(from, to);
    const pipe = new MemoryPipe({
      from,
      to,
      isHeld: () => this.#blocked.has(direction) || this.#paused.has(to),
      receiver,
    });
    this.#pipes.add(pipe);
    return pipe;
  }

  #carry(pipe: MemoryPipe, connection: number, item: PipeItem): void {
    const deliver = pipe.send(item);
    const { from, to } = pipe.ends;
    const bytes = item.kind === "frame" ? item.frame.length : 0;
    this.#schedule({ from, to, connection, kind: item.kind, bytes, deliver });
  }

  #atEndOfTurn(delivery: Delivery): void {
    this.#due.push(delivery);
    if (this.#due.length > 1) return;
    this.#clock.endOfTurn(() => {
      const due = this.#due;
      this.#due = [];
      for (const each of due) each.deliver();
    });
  }

  #drain(): void {
    for (const pipe of [...this.#pipes]) pipe.drain();
  }

  #freePort(): number {
    this.#nextPort += 1;
    return this.#nextPort - 1;
  }
}

class MemoryListener implements Listener {
  readonly party: string;
  readonly port: number;
  readonly #options: ListenOptions;
  readonly #close: () => void;
  readonly #accepted = new Set<MemoryConnection>();

  constructor(party: string, port: number, options: ListenOptions, close: () => void) {
    this.party = party;
    this.port = port;
    this.#options = options;
    this.#close = close;
  }

  /** False: it has as many connections as it may. */
  takes(connection: MemoryConnection): boolean {
    for (const each of this.#accepted) if (each.isClosed) this.#accepted.delete(each);
    if (this.#accepted.size >= this.#options.connectionsMax) return false;
    this.#accepted.add(connection);
    const { frameBytesMax, firstFrameBytesMax = frameBytesMax } = this.#options;
    connection.setFrameBytesMax(frameBytesMax, firstFrameBytesMax);
    return true;
  }

  accept(connection: MemoryConnection): void {
    this.#options.accept(connection);
  }

  async close(): Promise<void> {
    this.#close();
    for (const connection of this.#accepted) connection.close();
    this.#accepted.clear();
  }
}

function addressOf(host: string, port: number): string {
  return `${host}:${port}`;
}

function directionOf(from: string, to: string): string {
  return `${from} > ${to}`;
}
