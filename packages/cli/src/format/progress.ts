import type { TextSink } from "../context.ts";
import { StatusLine } from "./status-line.ts";

const EVERY_MS = 500;
const MEBIBYTE = 1_048_576;

/** Tells on a terminal how many bytes went by; nothing anywhere else, and nothing for what is quick. */
export class Progress implements Disposable {
  readonly #line: StatusLine;
  readonly #verb: string;
  #bytes = 0;
  #toldMs = performance.now();

  /** `verb`: what is being done, such as "saving". */
  constructor(sink: TextSink, verb: string) {
    this.#line = new StatusLine(sink);
    this.#verb = verb;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    const now = performance.now();
    if (!this.#line.isTerminal || now - this.#toldMs < EVERY_MS) return;
    this.#toldMs = now;
    this.#line.tell(`${this.#verb} ${(this.#bytes / MEBIBYTE).toFixed(1)} MiB`);
  }

  [Symbol.dispose](): void {
    this.#line[Symbol.dispose]();
  }
}
