/** Where a client gets a connection, time and randomness from; the simulator brings its own. */
export interface ClientPorts {
  readonly dialer: Dialer;
  readonly clock: ClientClock;
  readonly random: ClientRandom;
}

export interface Dialer {
  /** Rejects when no connection comes about; `signal` gives up. */
  dial(server: string, handlers: SocketHandlers, signal: AbortSignal): Promise<Socket>;
}

/** One connection that carries whole frames. */
export interface Socket {
  send(frame: Uint8Array): void;
  /** Bytes accepted by `send` and not yet handed to the network. */
  readonly bufferedBytes: number;
  close(): void;
}

export interface SocketHandlers {
  onFrame(frame: Uint8Array): void;
  /** Once; nothing follows. */
  onClose(reason: string): void;
}

export interface ClientClock {
  /** Monotonic, ms, with fractions. */
  nowMs(): number;
  after(delayMs: number, callback: () => void): Timer;
  /** Runs after everything of the current turn: what was asked within one turn leaves in one frame. */
  endOfTurn(callback: () => void): void;
}

export interface Timer {
  cancel(): void;
}

export interface ClientRandom {
  bytes(count: number): Uint8Array;
  /** In [0, 1). */
  fraction(): number;
}
