import type {
  Connection,
  ConnectionHandlers,
  DialOptions,
  ListenOptions,
  Listener,
  Transport,
} from "../../../packages/server/src/ports.ts";
import type { ProcessClock } from "./process-clock.ts";

/** A host's network as one life of one process sees it: the dead neither hear nor say anything. */
export function processTransport(host: Transport, clock: ProcessClock): Transport {
  return {
    listen: (options) => listen(host, clock, options),
    dial: (options) => dial(host, clock, options),
  };
}

async function listen(
  host: Transport,
  clock: ProcessClock,
  options: ListenOptions,
): Promise<Listener> {
  return host.listen({
    ...options,
    accept: (connection) => {
      if (clock.isDead) connection.destroy();
      else options.accept(new ProcessConnection(connection, clock));
    },
  });
}

async function dial(
  host: Transport,
  clock: ProcessClock,
  options: DialOptions,
): Promise<Connection> {
  if (clock.isDead) await new Promise<never>(() => {});
  const connection = await host.dial({ ...options, handlers: muted(options.handlers, clock) });
  if (clock.isDead) {
    connection.destroy();
    await new Promise<never>(() => {});
  }
  return new ProcessConnection(connection, clock);
}

function muted(handlers: ConnectionHandlers, clock: ProcessClock): ConnectionHandlers {
  return {
    onFrame: (frame) => {
      if (!clock.isDead) handlers.onFrame(frame);
    },
    onClose: (reason) => {
      if (!clock.isDead) handlers.onClose(reason);
    },
  };
}

class ProcessConnection implements Connection {
  readonly #connection: Connection;
  readonly #clock: ProcessClock;

  constructor(connection: Connection, clock: ProcessClock) {
    this.#connection = connection;
    this.#clock = clock;
  }

  get remote(): string {
    return this.#connection.remote;
  }

  get bufferedBytes(): number {
    return this.#connection.bufferedBytes;
  }

  setHandlers(handlers: ConnectionHandlers): void {
    this.#connection.setHandlers(muted(handlers, this.#clock));
  }

  send(frame: Uint8Array): void {
    if (!this.#clock.isDead) this.#connection.send(frame);
  }

  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  close(): void {
    if (!this.#clock.isDead) this.#connection.close();
  }

  destroy(): void {
    if (!this.#clock.isDead) this.#connection.destroy();
  }
}
