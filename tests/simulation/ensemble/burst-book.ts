/** What came of a call: its answer, nothing that is known, or that it was never made. */
export type Outcome =
  | {
      readonly kind: "ok";
      /** Number of the set that is shown. */
      readonly value: number;
      readonly version: number;
      readonly zxid: number;
    }
  | { readonly kind: "unknown" }
  | { readonly kind: "never" };

/** One call on a znode that only one session writes to. */
export interface Call {
  readonly isSet: boolean;
  /** Its number for a set; for a read that of the last set called before it. */
  readonly set: number;
  readonly outcome: Outcome;
}

/**
 * What one session may be told of a znode that it alone writes to, each set with a number for its value: all its calls take
 * effect in their order, though reads may show sets that were called after them.
 */
export class BurstBook {
  #sets = 0;
  /** Sets with an answer so far, and those without, in the order of the calls. */
  #done = 0;
  #inDoubt = 0;
  readonly #never = new Set<number>();
  /** The last set that was answered, and the last state that was shown. */
  #lastDone = 0;
  #lastZxid = 0;
  #lastRead: { readonly value: number; readonly zxid: number } = { value: 0, zxid: 0 };

  /** Number of the last set that was called; 0 for the creation. */
  get lastSet(): number {
    return this.#sets;
  }

  nextSet(): number {
    this.#sets += 1;
    return this.#sets;
  }

  /** Takes the next calls, in their order, once all of them have ended. Returns what no order of effects explains, or null. */
  findDisorder(calls: readonly Call[]): string | null {
    for (const { isSet, set, outcome } of calls) {
      if (isSet && outcome.kind === "never") this.#never.add(set);
    }
    for (const call of calls) {
      const problem = call.isSet ? this.#takeSet(call) : this.#takeRead(call);
      if (problem !== null) return problem;
    }
    return null;
  }

  #takeSet({ set, outcome }: Call): string | null {
    if (outcome.kind === "never") return null;
    if (outcome.kind === "unknown") {
      this.#inDoubt += 1;
      return null;
    }
    this.#done += 1;
    const { version, zxid } = outcome;
    const most = this.#done + this.#inDoubt;
    if (version < this.#done || version > most) {
      return `set ${set} made version ${version}, not ${this.#done} to ${most}`;
    }
    if (zxid <= this.#lastZxid) {
      return `set ${set} has zxid ${zxid}, not above ${this.#lastZxid} of the one before`;
    }
    this.#lastDone = set;
    this.#lastZxid = zxid;
    return null;
  }

  #takeRead({ set, outcome }: Call): string | null {
    if (outcome.kind !== "ok") return null;
    const { value, zxid } = outcome;
    const last = this.#lastRead;
    if (value < this.#lastDone) {
      return `a read called after set ${set} shows ${value}, older than set ${this.#lastDone} before it`;
    }
    if (value > this.#sets || this.#never.has(value)) {
      return `a read shows ${value}, which was never set`;
    }
    if (value < last.value || zxid < last.zxid) {
      return `a read shows ${value} at ${zxid} after one that showed ${last.value} at ${last.zxid}`;
    }
    this.#lastRead = { value, zxid };
    return null;
  }
}
