import type { ConnectionHandlers } from "../ports.ts";

/** Something on its way in one direction of one connection. */
export type PipeItem =
  | { readonly kind: "open"; run(): void }
  | { readonly kind: "frame"; readonly frame: Uint8Array }
  | { readonly kind: "close"; readonly reason: string };

interface Travelling {
  readonly item: PipeItem;
  arrived: boolean;
}

export interface PipeEnds {
  readonly from: string;
  readonly to: string;
  /** True: nothing gets through now, and what was sent waits. */
  isHeld(): boolean;
  /** Where frames and the close go. */
  receiver(): ConnectionHandlers | null;
}

/** One direction of a connection: in order, and nothing is lost but by a cut, as with TCP. */
export class MemoryPipe {
  readonly ends: PipeEnds;
  #travelling: Travelling[] = [];
  #bufferedBytes = 0;
  #isPaused = false;
  #isCut = false;
  #isDraining = false;

  constructor(ends: PipeEnds) {
    this.ends = ends;
  }

  /** Sent, and not received. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** Takes something in; the result makes it arrive, though not before what was sent earlier. */
  send(item: PipeItem): () => void {
    if (this.#isCut) return () => {};
    const travelling: Travelling = { item, arrived: false };
    this.#travelling.push(travelling);
    this.#bufferedBytes += bytesOf(item);
    return () => {
      travelling.arrived = true;
      this.drain();
    };
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
  }

  /** Frames on their way are lost. */
  dropFrames(): void {
    this.#travelling = this.#travelling.filter(({ item }) => item.kind !== "frame");
    this.#bufferedBytes = 0;
  }

  /** What is on its way is lost, and nothing follows. */
  cut(): void {
    this.#isCut = true;
    this.#travelling = [];
    this.#bufferedBytes = 0;
  }

  /** Hands over what has arrived, as far as nothing holds it. */
  drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    try {
      for (;;) {
        const next = this.#travelling[0];
        if (next?.arrived !== true || this.#isPaused || this.ends.isHeld()) return;
        this.#travelling.shift();
        this.#bufferedBytes -= bytesOf(next.item);
        this.#hand(next.item);
      }
    } finally {
      this.#isDraining = false;
    }
  }

  #hand(item: PipeItem): void {
    if (item.kind === "open") item.run();
    else if (item.kind === "frame") this.ends.receiver()?.onFrame(item.frame);
    else this.ends.receiver()?.onClose(item.reason);
  }
}

function bytesOf(item: PipeItem): number {
  return item.kind === "frame" ? item.frame.length : 0;
}
