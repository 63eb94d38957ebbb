import type { Connection, ConnectionHandlers } from "../ports.ts";
import type { MemoryPipe, PipeItem } from "./memory-pipe.ts";

const SILENT: ConnectionHandlers = { onFrame: () => {}, onClose: () => {} };

export interface MemoryConnectionParts {
  readonly local: string;
  readonly other: string;
  readonly remote: string;
  readonly out: MemoryPipe;
  readonly into: MemoryPipe;
  readonly frameBytesMax: number;
  /** Null: set later, before anything arrives. */
  readonly handlers: ConnectionHandlers | null;
  carry(pipe: MemoryPipe, item: PipeItem): void;
  /** Runs at the end of the turn. */
  later(callback: () => void): void;
  gone(connection: MemoryConnection): void;
}

/** One end of a connection within the process. What its pipe delivers, it hands to its user. */
export class MemoryConnection implements Connection, ConnectionHandlers {
  readonly local: string;
  readonly other: string;
  readonly remote: string;
  readonly #parts: MemoryConnectionParts;
  #handlers: ConnectionHandlers;
  #frameBytesMax: number;
  #nextFrameBytesMax: number;
  #state: "open" | "closing" | "closed" = "open";

  constructor(parts: MemoryConnectionParts) {
    this.local = parts.local;
    this.other = parts.other;
    this.remote = parts.remote;
    this.#parts = parts;
    this.#handlers = parts.handlers ?? SILENT;
    this.#frameBytesMax = parts.frameBytesMax;
    this.#nextFrameBytesMax = parts.frameBytesMax;
  }

  get bufferedBytes(): number {
    return this.#parts.out.bufferedBytes;
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  /** Somebody has it: one that is still on its way to whoever accepts it is nobody's. */
  get isInUse(): boolean {
    return this.#handlers !== SILENT;
  }

  setHandlers(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
  }

  /** For an accepted connection, whose listener decides. */
  setFrameBytesMax(frameBytesMax: number, firstFrameBytesMax: number): void {
    this.#frameBytesMax = frameBytesMax;
    this.#nextFrameBytesMax = firstFrameBytesMax;
  }

  /** The pipe's way of putting something on its way. */
  carry(item: PipeItem): void {
    this.#parts.carry(this.#parts.out, item);
  }

  send(frame: Uint8Array): void {
    if (this.#state !== "open") return;
    // The receiver owns what it gets.
    this.carry({ kind: "frame", frame: new Uint8Array(frame) });
  }

  pause(): void {
    this.#parts.into.pause();
  }

  resume(): void {
    this.#parts.into.resume();
    this.#parts.into.drain();
  }

  close(): void {
    this.end("closed");
  }

  /** What was sent arrives, and then the other side is told. */
  end(reason: string): void {
    if (this.#state !== "open") return;
    this.carry({ kind: "close", reason });
    this.#end(reason);
  }

  destroy(): void {
    if (this.#state === "closed") return;
    this.#parts.out.dropFrames();
    if (this.#state === "open") this.carry({ kind: "close", reason: "connection lost" });
    this.#end("destroyed");
  }

  /** The connection breaks: what is on its way is lost, and this side is told. */
  lose(reason: string): void {
    this.#parts.out.cut();
    this.#parts.into.cut();
    this.#end(reason);
  }

  /** This end is gone, and its user told; the other one is not, and whatever it sends reaches nobody. */
  vanish(reason: string): void {
    this.#parts.out.cut();
    this.#end(reason);
  }

  /** It never came about for its user, who hears nothing of it; the other side does. */
  abandon(): void {
    this.#handlers = SILENT;
    this.destroy();
  }

  onFrame(frame: Uint8Array): void {
    if (this.#state !== "open") return;
    const isTooLarge = frame.length > this.#nextFrameBytesMax;
    this.#nextFrameBytesMax = this.#frameBytesMax;
    if (isTooLarge) this.destroy();
    else this.#handlers.onFrame(frame);
  }

  onClose(reason: string): void {
    this.#finish(reason);
  }

  #end(reason: string): void {
    this.#state = "closing";
    this.#parts.later(() => this.#finish(reason));
  }

  #finish(reason: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#parts.into.cut();
    this.#parts.gone(this);
    this.#handlers.onClose(reason);
  }
}
