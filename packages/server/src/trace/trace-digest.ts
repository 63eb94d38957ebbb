import type { TraceEvent } from "@quorate/raft";

/** Who led a term, as far as the recorded node heard of it. */
export interface LedTerm {
  readonly term: number;
  readonly leader: number;
}

/** A trace in numbers. */
export interface TraceFigures {
  readonly node: number;
  readonly inputs: number;
  readonly events: number;
  /** Of the last line, ms since the start. */
  readonly ms: number;
  readonly firstTerm: number;
  readonly lastTerm: number;
  /** The newest ones. */
  readonly leaders: readonly LedTerm[];
  readonly commitIndex: number;
  readonly lastIndex: number;
}

/** Leaders that are remembered. */
const LEADERS_MAX = 16;

/** Adds up the events of one core. */
export class TraceDigest {
  #node = 0;
  #events = 0;
  #ms = 0;
  #firstTerm = 0;
  #lastTerm = 0;
  #commitIndex = 0;
  #lastIndex = 0;
  #leaders: LedTerm[] = [];

  get figures(): TraceFigures {
    return {
      node: this.#node,
      inputs: 0,
      events: this.#events,
      ms: this.#ms,
      firstTerm: this.#firstTerm,
      lastTerm: this.#lastTerm,
      leaders: this.#leaders,
      commitIndex: this.#commitIndex,
      lastIndex: this.#lastIndex,
    };
  }

  take(event: TraceEvent, ms: number): void {
    this.#events += 1;
    this.#ms = ms;
    switch (event.kind) {
      case "started":
        this.#node = event.id;
        this.#firstTerm = event.term;
        this.#lastTerm = event.term;
        this.#commitIndex = event.imageIndex;
        this.#lastIndex = event.lastIndex;
        return;
      case "termEntered":
        this.#lastTerm = event.term;
        return;
      case "leaderChanged":
        if (event.leader !== null) this.#noteLeader(event.term, event.leader);
        return;
      case "commitAdvanced":
        this.#commitIndex = event.index;
        return;
      case "logReset":
        this.#commitIndex = event.index;
        this.#lastIndex = event.index;
        return;
      case "entriesAppended":
        this.#lastIndex = event.to;
        return;
      case "logTruncated":
        this.#lastIndex = event.from - 1;
        return;
      default:
    }
  }

  #noteLeader(term: number, leader: number): void {
    if (this.#leaders.at(-1)?.term === term) return;
    this.#leaders.push({ term, leader });
    if (this.#leaders.length > LEADERS_MAX) this.#leaders.shift();
  }
}
