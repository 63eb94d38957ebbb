import { styleText } from "node:util";
import type { TextSink } from "../context.ts";

/** Tells the story and keeps account of what held and what did not. */
export class Stage {
  readonly #out: TextSink;
  readonly #broken: string[] = [];

  constructor(out: TextSink) {
    this.#out = out;
  }

  /** What did not hold; empty at the end of a demo that held. */
  get broken(): readonly string[] {
    return this.#broken;
  }

  act(title: string): void {
    this.#out.write(`\n${styleText("bold", title)}\n`);
  }

  /** Something the demo does. */
  does(text: string): void {
    this.#out.write(`  ${styleText("yellow", "→")} ${text}\n`);
  }

  /** Something that was seen. */
  sees(text: string): void {
    this.#out.write(`    ${text}\n`);
  }

  /** A promise of the service, and whether it held. */
  checks(held: boolean, promise: string, otherwise: string): void {
    if (held) {
      this.#out.write(`  ${styleText("green", "✓")} ${promise}\n`);
      return;
    }
    this.#broken.push(otherwise);
    this.#out.write(`  ${styleText("red", "✗")} ${otherwise}\n`);
  }
}

/** Milliseconds as people read them. */
export function ms(duration: number): string {
  return `${Math.round(duration).toLocaleString("en")} ms`;
}
