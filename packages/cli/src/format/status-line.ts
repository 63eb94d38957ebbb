import type { TextSink } from "../context.ts";

const CLEAR = "\r\u001b[K";

/** One line that tells what goes on: on a terminal it changes, and is taken away in the end. */
export class StatusLine implements Disposable {
  readonly #sink: TextSink;
  #told = "";

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  get isTerminal(): boolean {
    return this.#sink.isTerminal;
  }

  /** What was told last is not told again. Where there is no terminal each text is a line of its own. */
  tell(text: string): void {
    if (text === this.#told) return;
    this.#told = text;
    this.#sink.write(this.#sink.isTerminal ? `${CLEAR}${text}` : `${text}\n`);
  }

  [Symbol.dispose](): void {
    if (this.#told !== "" && this.#sink.isTerminal) this.#sink.write(CLEAR);
  }
}
