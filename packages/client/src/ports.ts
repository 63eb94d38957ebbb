/** Where a client gets a connection, time and randomness from; the simulator brings its own. */
export interface ClientPorts {
  readonly dialer: Dialer;
  readonly clock: ClientClock;
  readonly random: ClientRandom;
}

/** Opens connections. */
export interface Dialer {
  /** Rejects when no connection comes about; `signal` gives up. */
  dial(server: string, handlers: SocketHandlers, signal: AbortSignal): Promise<Socket>;
}

/** One connection that carries whole frames. */
export interface Socket {
  send(frame: Uint8Array): void;
  close(): void;
}

/** Who is told what arrives on a connection, and of its end. */
export interface SocketHandlers {
  onFrame(frame: Uint8Array): void;
  /** Once; nothing follows. */
  onClose(reason: string): void;
}

/** Time as the client needs it: never a wall clock's time of day. */
export interface ClientClock {
  /** Monotonic, ms, with fractions. It goes on while the machine is suspended; timers need not. */
  nowMs(): number;
  /** How far it is ahead of `performance.now()` at this moment, ms. */
  aheadMs(): number;
  after(delayMs: number, callback: () => void): Timer;
  /** Runs after everything of the current turn: what was asked within one turn leaves in one frame. */
  endOfTurn(callback: () => void): void;
}

/** A callback that has not run yet. */
export interface Timer {
  cancel(): void;
}

/** Randomness: secrets need good bytes, pauses and orders any. */
export interface ClientRandom {
  bytes(count: number): Uint8Array;
  /** In [0, 1). */
  fraction(): number;
}
