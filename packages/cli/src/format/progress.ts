import type { TextSink } from "../context.ts";

const EVERY_MS = 500;
const MEBIBYTE = 1_048_576;

/** One line that grows on a terminal while bytes go by; nothing anywhere else, and nothing for what is quick. */
export class Progress implements Disposable {
  readonly #sink: TextSink;
  readonly #verb: string;
  #bytes = 0;
  #shownMs = performance.now();
  #isShown = false;

  /** `verb`: what is being done, such as "saving". */
  constructor(sink: TextSink, verb: string) {
    this.#sink = sink;
    this.#verb = verb;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    const now = performance.now();
    if (!this.#sink.isTerminal || now - this.#shownMs < EVERY_MS) return;
    this.#shownMs = now;
    this.#isShown = true;
    this.#sink.write(`\r${this.#verb} ${(this.#bytes / MEBIBYTE).toFixed(1)} MiB`);
  }

  /** Takes the line away. */
  [Symbol.dispose](): void {
    if (this.#isShown) this.#sink.write("\r\u001b[K");
  }
}
