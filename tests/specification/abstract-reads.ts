import type { ReadContext, TraceEvent } from "@quorate/raft";
import type { AbstractNode } from "./abstract-node.ts";

/** Reads: whoever asks learns of everything that was committed before. */
export class AbstractReads {
  /** How much was committed when a read was asked for. */
  readonly #asked = new Map<string, number>();
  readonly #fail: (rule: string, details: string) => never;

  constructor(fail: (rule: string, details: string) => never) {
    this.#fail = fail;
  }

  take(node: AbstractNode, event: TraceEvent, committed: number): void {
    switch (event.kind) {
      case "readForwarded":
        this.#asked.set(keyOf(event.context), committed);
        return;
      case "readTaken":
        if (event.from === node.id) this.#asked.set(keyOf(event.context), committed);
        return;
      case "readAnswered": {
        const { context, index } = event;
        const before = this.#asked.get(keyOf(context));
        this.#asked.delete(keyOf(context));
        if (index === null) return;
        if (before === undefined) return this.#fail("reads are asked for", `${node.id}`);
        if (index < before) {
          this.#fail("reads are not stale", `${node.id} at ${index}, not ${before}`);
        }
        return;
      }
      default:
    }
  }
}

function keyOf({ nonce, counter }: ReadContext): string {
  return `${nonce}:${counter}`;
}
