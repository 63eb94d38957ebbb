import { ServerError } from "../../../packages/server/src/errors.ts";
import type { ManualClock } from "../../../packages/server/src/memory/manual-clock.ts";
import type {
  Connection,
  ConnectionHandlers,
  DialOptions,
  ListenOptions,
  Transport,
} from "../../../packages/server/src/ports.ts";

/** One end of a connection whose frames wait for `Wire.settle`. */
export class End implements Connection {
  readonly remote: string;
  readonly sent: Uint8Array[] = [];
  other: End | null = null;
  handlers: ConnectionHandlers | null = null;
  isClosed = false;
  /** Nothing arrives any more, and nobody is told. */
  isDead = false;
  /** What is sent stays here. */
  isStuck = false;
  bufferedBytes = 0;
  readonly #later: (delivery: () => void) => void;

  constructor(remote: string, later: (delivery: () => void) => void) {
    this.remote = remote;
    this.#later = later;
  }

  setHandlers(handlers: ConnectionHandlers): void {
    this.handlers = handlers;
  }

  send(frame: Uint8Array): void {
    if (this.isClosed) return;
    this.sent.push(frame);
    if (this.isStuck) this.bufferedBytes += frame.length;
    const { other, isDead, isStuck } = this;
    if (isDead || isStuck || other === null) return;
    this.#later(() => {
      if (!other.isClosed && !other.isDead) other.handlers?.onFrame(frame.slice());
    });
  }

  pause(): void {}
  resume(): void {}

  close(): void {
    this.#end("closed");
  }

  destroy(): void {
    this.#end("destroyed");
  }

  #end(reason: string): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#later(() => this.handlers?.onClose(reason));
    const { other } = this;
    if (this.isDead || other === null) return;
    this.#later(() => {
      if (other.isClosed) return;
      other.isClosed = true;
      other.handlers?.onClose("closed by the other side");
    });
  }
}

/** A network whose frames wait until the test lets them arrive; listeners are known by port alone. */
export class Wire implements Transport {
  readonly listeners = new Map<number, ListenOptions>();
  /** The dialling end of every connection. */
  readonly dialled: { readonly port: number; readonly end: End }[] = [];
  readonly attempts: string[] = [];
  readonly blackHoles = new Set<number>();
  readonly #clock: ManualClock;
  #queue: (() => void)[] = [];

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  async listen(options: ListenOptions): Promise<{ port: number; close(): Promise<void> }> {
    if (this.listeners.has(options.port))
      throw new ServerError("ADDRESS_IN_USE", String(options.port));
    this.listeners.set(options.port, options);
    return {
      port: options.port,
      close: async () => {
        this.listeners.delete(options.port);
      },
    };
  }

  dial(options: DialOptions): Promise<Connection> {
    this.attempts.push(`${options.host}:${options.port}`);
    return new Promise((resolve, reject) => {
      const refuse = (): void => reject(new ServerError("CONNECT_FAILED", "nobody there"));
      if (this.blackHoles.has(options.port)) {
        this.#clock.after(options.timeoutMs, refuse);
        return;
      }
      this.#queue.push(() => {
        const listener = this.listeners.get(options.port);
        if (listener === undefined) refuse();
        else resolve(this.connect(listener, options));
      });
    });
  }

  connect(listener: ListenOptions, options: Pick<DialOptions, "port" | "handlers">): End {
    const later = (delivery: () => void): void => {
      this.#queue.push(delivery);
    };
    const near = new End(`wire:${options.port}`, later);
    const far = new End("wire:0", later);
    near.other = far;
    far.other = near;
    near.setHandlers(options.handlers);
    this.dialled.push({ port: options.port, end: near });
    listener.accept(far);
    return near;
  }

  /** Everything on the way arrives, and whatever that causes. */
  async settle(): Promise<void> {
    for (let idle = 0; idle < 10; idle += 1) {
      for (let round = 0; this.#queue.length > 0; round += 1) {
        if (round > 10_000) throw new Error("the wire never comes to rest");
        const queue = this.#queue;
        this.#queue = [];
        for (const delivery of queue) delivery();
        idle = 0;
      }
      await Promise.resolve();
    }
  }

  /** The newest open connection dialled to a port. */
  last(port: number): End {
    const found = this.dialled.findLast((each) => each.port === port && !each.end.isClosed);
    if (found === undefined) throw new Error(`no connection to ${port}`);
    return found.end;
  }
}
