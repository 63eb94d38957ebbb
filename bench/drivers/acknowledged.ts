import { crc32 } from "node:zlib";
import type { ValueMark } from "../protocol.ts";

/** The newest acknowledged value of each path, by the revision the service gave it. */
export class Acknowledged {
  readonly #revisions: Float64Array;
  readonly #values: (Uint8Array | undefined)[];

  constructor(paths: number) {
    this.#revisions = new Float64Array(paths);
    this.#values = Array.from({ length: paths });
  }

  note(index: number, revision: number, value: Uint8Array): void {
    if (revision <= (this.#revisions[index] ?? 0)) return;
    this.#revisions[index] = revision;
    this.#values[index] = value;
  }

  list(): readonly ValueMark[] {
    return this.#values.flatMap((value, index): ValueMark[] =>
      value === undefined ? [] : [[index, this.#revisions[index] ?? 0, crc32(value)]],
    );
  }
}

/** Longest time between two acknowledged writes. */
export class WriteGaps {
  #last = 0;
  #longest = 0;
  #markedAt = Number.NEGATIVE_INFINITY;

  get longestMs(): number {
    return this.#longest;
  }

  get lastMs(): number {
    return this.#last;
  }

  /** Forgets what was, and takes `lastMs` for the time of the last write. */
  restart(lastMs: number): void {
    this.#last = lastMs;
    this.#longest = 0;
  }

  /** From now on only gaps count that end after `nowMs`; one may have begun before. */
  mark(nowMs: number): void {
    this.#markedAt = nowMs;
    this.#longest = 0;
  }

  wrote(nowMs: number): void {
    if (nowMs >= this.#markedAt) this.#longest = Math.max(this.#longest, nowMs - this.#last);
    this.#last = nowMs;
  }
}
