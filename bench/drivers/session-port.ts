/** A session of a coordination service, as the driver in TypeScript needs it. */
export interface SessionPort {
  /** Address of the server it is attached to; null without one. */
  server(): string | null;
  /** It has ended without `close`. */
  hasEnded(): boolean;
  /** Creates a znode; succeeds if it is there. */
  ensure(path: string): Promise<void>;
  create(path: string, data: Uint8Array): Promise<unknown>;
  set(path: string, data: Uint8Array): Promise<Revision>;
  /** Null when there is no such znode. */
  read(path: string): Promise<ReadValue | null>;
  getLinearizable(path: string): Promise<unknown>;
  getLocal(path: string): Promise<unknown>;
  createEphemeral(path: string): Promise<unknown>;
  /** Ephemeral and sequential; returns the path it was given. */
  createSequential(prefix: string, data: Uint8Array): Promise<string>;
  delete(path: string): Promise<unknown>;
  childCount(path: string): Promise<number>;
  /** Acquires the lock and releases it. */
  lockCycle(path: string): Promise<void>;
  /** Calls back for every change of the znode's data. */
  watch(path: string, onChange: () => void): Promise<void>;
  close(): Promise<void>;
}

/** The revision a write was made at. */
export interface Revision {
  readonly mzxid: number;
}

export interface ReadValue {
  readonly data: Uint8Array;
  readonly revision: number;
}

/** Opens a session that knows these servers. */
export type Connect = (servers: readonly string[], timeoutMs: number) => Promise<SessionPort>;
