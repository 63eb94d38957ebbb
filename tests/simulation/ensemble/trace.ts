import type { Logger, LogFields } from "../../../packages/server/src/observe/logger.ts";
import type { VirtualTime } from "./virtual-time.ts";

const LINES_MAX = 400;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** Is told what happens, line by line; details are what cores do, which is most of it. */
export type Print = (line: string, isDetail: boolean) => void;

/** What happened in a run: its last lines for people, and a hash of everything, which equal seeds must share. */
export class Trace {
  readonly #time: VirtualTime;
  readonly #print: Print | null;
  #lines: string[] = [];
  #hash = FNV_OFFSET;

  /** `print`: told every line as it comes. */
  constructor(time: VirtualTime, print: Print | null) {
    this.#time = time;
    this.#print = print;
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  /** A line for people, and for the hash. */
  note(who: string, what: string): void {
    const line = this.#line(who, what);
    for (let at = 0; at < line.length; at += 1) this.#mix(line.charCodeAt(at));
    this.#lines.push(line);
    if (this.#lines.length > LINES_MAX) this.#lines = this.#lines.slice(-LINES_MAX / 2);
    this.#print?.(line, false);
  }

  /** A line for people alone, who want to know all. */
  show(who: string, what: string): void {
    this.#print?.(this.#line(who, what), true);
  }

  /** Something that was sent, for the hash alone. */
  mixSent(connection: number, bytes: number): void {
    this.#mix(Math.floor(this.#time.nowMs * 1024) | 0);
    this.#mix(bytes);
    this.#mix(connection);
  }

  logger(who: string): Logger {
    const log = (level: string) => (fields: LogFields, message: string) =>
      this.note(who, `${level} ${message}${render(fields)}`);
    return {
      debug: () => {},
      info: log(""),
      warn: log("!"),
      error: log("!!"),
      child: () => this.logger(who),
    };
  }

  #line(who: string, what: string): string {
    return `${this.#time.nowMs.toFixed(2).padStart(10)} ${who.padEnd(4)} ${what}`;
  }

  #mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ value, FNV_PRIME);
  }
}

function render(fields: LogFields): string {
  const entries = Object.entries(fields).map(([key, value]) => `${key}=${String(value)}`);
  return entries.length === 0 ? "" : ` ${entries.join(" ")}`;
}
