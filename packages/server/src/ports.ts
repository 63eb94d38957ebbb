/** Everything the server takes from outside. Each has a real and an in-memory implementation under one conformance suite. */
export interface ServerPorts {
  readonly clock: MonotonicClock;
  readonly wallClock: WallClock;
  readonly random: Random;
  readonly files: Files;
  readonly images: ImageStores;
  readonly transport: Transport;
}

/** Never goes back, not comparable between processes; all deadlines use it. */
export interface MonotonicClock {
  /** Ms, with fractions. */
  nowMs(): number;
  after(delayMs: number, callback: () => void): Timer;
  every(periodMs: number, callback: () => void): Timer;
  /** Runs once the current turn's input has been taken in. */
  endOfTurn(callback: () => void): void;
}

export interface Timer {
  cancel(): void;
}

/** For people, for ctime and mtime, and for where a new history begins: it may jump. */
export interface WallClock {
  /** Ms since 1970. */
  nowMs(): number;
}

export interface Random {
  bytes(count: number): Uint8Array;
}

/** A file system. Paths are absolute. Every failure is a `ServerError` (STORAGE_FAILED, STORAGE_FULL). */
export interface Files {
  /** With its parents, durably; none of them need be new. */
  makeDirectory(path: string): Promise<void>;
  /** Names in a directory; empty when there is none. */
  list(path: string): Promise<readonly string[]>;
  /** Null when there is no such file. */
  readWhole(path: string): Promise<Uint8Array | null>;
  /**
   * `create`: fails if the file exists; otherwise fails if it does not. With `durable`, `write` returns once on disk. With
   * `readOnly` it need not be writable, and is not written to. Default: it is.
   */
  open(
    path: string,
    options: { readonly create: boolean; readonly durable: boolean; readonly readOnly?: boolean },
  ): Promise<OpenFile>;
  rename(from: string, to: string): Promise<void>;
  /** Removing what is not there is no error. Directories go with their content. */
  remove(path: string): Promise<void>;
  /** Makes creations, renames and removals in a directory durable. */
  syncDirectory(path: string): Promise<void>;
  space(path: string): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>;
}

export interface OpenFile {
  size(): Promise<number>;
  /** Fewer bytes only at the end of the file. */
  read(position: number, length: number): Promise<Uint8Array>;
  /** Writes all of it. The bytes must not change until it returns. */
  write(position: number, bytes: Uint8Array): Promise<void>;
  /** Makes data and size durable. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Ordered key-value stores on disk, one directory each (`level`): they hold the tree's image. A value that is not what was
 * stored is never handed out: reading it fails with IMAGE_CORRUPT, and so does whatever the store is asked for after that.
 */
export interface ImageStores {
  /** `create` false: fails unless a store is there. `create` true: fails if one is. */
  open(directory: string, options: { readonly create: boolean }): Promise<ImageStore>;
}

export interface ImageStore {
  /** One atomic, durable batch, filled piece by piece so that no turn is long. */
  batch(): ImageBatch;
  /** The values of those keys, null where there is none; to be asked for some hundreds at a time. */
  getMany(keys: readonly string[]): Promise<readonly (Uint8Array | null)[]>;
  /** A consistent view for as long as it is open, ascending by the keys' UTF-8 bytes. */
  view(): ImageView;
  /**
   * Reads all that the store has on disk, whatever it means; yields how many bytes each time. Fails with IMAGE_CORRUPT where
   * something cannot be read or has gone; what else it fails with is not the store's last word.
   */
  check(): AsyncIterable<number>;
  close(): Promise<void>;
}

export interface ImageBatch {
  put(key: string, value: Uint8Array): void;
  delete(key: string): void;
  /** Durable when it returns. */
  write(): Promise<void>;
  /** Gives the batch up. */
  discard(): Promise<void>;
}

export interface ImageView {
  /** Next entries in order, at most `countMax` and about `bytesMax`; empty at the end. */
  next(
    countMax: number,
    bytesMax: number,
  ): Promise<readonly (readonly [key: string, value: Uint8Array])[]>;
  close(): Promise<void>;
}

/** Connections that carry whole frames, for peers and clients alike. */
export interface Transport {
  /** Fails with a `ServerError` (ADDRESS_IN_USE, ADDRESS_UNAVAILABLE). */
  listen(options: ListenOptions): Promise<Listener>;
  /** Fails with a `ServerError` (CONNECT_FAILED) when no connection comes about. */
  dial(options: DialOptions): Promise<Connection>;
}

export interface ListenOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly frameBytesMax: number;
  /** The same for the first frame, while nobody knows who is speaking. Default: `frameBytesMax`. */
  readonly firstFrameBytesMax?: number;
  /**
   * Memory that frames of all connections together may take while they are incomplete; whose frame takes most is let go.
   * Default: no bound. Where frames come whole it means nothing.
   */
  readonly unfinishedBytesMax?: number;
  /** Connections beyond this are closed at once. */
  readonly connectionsMax: number;
  /**
   * Sockets beside them, plain HTTP requests and handshakes under way: so many, and as many more as there could be connections.
   * Beyond that the oldest is closed. Default: 64.
   */
  readonly otherSocketsMax?: number;
  /** Browser origins that may connect, exact match; a request without an Origin header always may. */
  readonly allowedOrigins: readonly string[];
  /** Answers plain HTTP requests on the same port; null refuses them. */
  readonly http: HttpHandler | null;
  /** Must set the connection's handlers before it returns. */
  accept(connection: Connection): void;
}

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  /** Whole, and never long. */
  readonly body: Uint8Array;
}

export interface HttpResponse {
  readonly status: number;
  readonly contentType: string;
  /** What comes in pieces is read no faster than it leaves, and given up when the other side is gone. */
  readonly body: string | AsyncIterable<Uint8Array>;
}

export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse>;

export interface Listener {
  readonly port: number;
  /** Stops listening and closes what was accepted. */
  close(): Promise<void>;
}

export interface DialOptions {
  readonly host: string;
  readonly port: number;
  readonly frameBytesMax: number;
  readonly timeoutMs: number;
  readonly handlers: ConnectionHandlers;
}

export interface ConnectionHandlers {
  /** The bytes are the receiver's. */
  onFrame(frame: Uint8Array): void;
  /** Once, also after `close`; nothing follows. */
  onClose(reason: string): void;
}

export interface Connection {
  /** `host:port` of the other side. */
  readonly remote: string;
  /** Bytes that `send` took and the network has not. */
  readonly bufferedBytes: number;
  setHandlers(handlers: ConnectionHandlers): void;
  /** Takes the frame; after a close it does nothing. The bytes must not change. */
  send(frame: Uint8Array): void;
  /** Stops or resumes the delivery of frames (back-pressure). */
  pause(): void;
  resume(): void;
  /** Lets what was sent leave, then closes. */
  close(): void;
  /** Closes at once. */
  destroy(): void;
}
