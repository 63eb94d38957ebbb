import type { LogIndex, ReadContext, ReadState } from "@quorate/raft";
import { reached } from "./points.ts";

/** One linearizable read that waits for its index. */
export interface WaitingRead {
  /** The state must have reached this index. Unknown (null) until the leader has told it. */
  index: LogIndex | null;
  /** Called when the index is known; null for who looks at `index` by itself. */
  readonly run: ((index: LogIndex) => void) | null;
}

/** What a batch of linearizable reads needs of the node. */
export interface ReadPorts {
  requestIndex(context: ReadContext): void;
}

/**
 * Linearizable reads: one request for a read index is in flight at a time, everything asked meanwhile goes into the next
 * (Raft thesis section 6.4). A refused or lost request is repeated under a new context: contexts are never reused.
 */
export class ReadIndexes {
  readonly #ports: ReadPorts;
  readonly #nonce: number;
  #counter = 0;
  #gathering: WaitingRead[] = [];
  #inFlight: WaitingRead[] = [];
  #context: ReadContext | null = null;
  #retryDue = false;

  constructor(nonce: number, ports: ReadPorts) {
    this.#nonce = nonce;
    this.#ports = ports;
  }

  get waitingCount(): number {
    return this.#gathering.length + this.#inFlight.length;
  }

  add(read: WaitingRead): void {
    this.#gathering.push(read);
  }

  /** Called every turn: starts the next request if none is in flight. */
  flush(): void {
    if (this.#context !== null || this.#retryDue || this.#gathering.length === 0) return;
    this.#inFlight = this.#gathering;
    this.#gathering = [];
    this.#send();
  }

  /** Called on every tick: repeats what was refused. Not at once, or a node without a leader would spin. */
  retry(): void {
    if (!this.#retryDue) return;
    this.#retryDue = false;
    reached("read_round_begun_again");
    this.#send();
  }

  #send(): void {
    this.#counter += 1;
    this.#context = { nonce: this.#nonce, counter: this.#counter };
    this.#ports.requestIndex(this.#context);
  }

  /** True if the answer was for a request in flight: its reads have an index now. */
  onReadState(state: ReadState): boolean {
    const context = this.#context;
    if (context === null || state.context.counter !== context.counter) {
      reached("read_state_of_earlier_round_ignored");
      return false;
    }
    if (state.context.nonce !== context.nonce) return false;
    this.#context = null;
    if (state.index === null) {
      reached("read_round_refused");
      this.#retryDue = true;
      return false;
    }
    const answered = this.#inFlight;
    this.#inFlight = [];
    for (const read of answered) {
      read.index = state.index;
      read.run?.(state.index);
    }
    return true;
  }
}
