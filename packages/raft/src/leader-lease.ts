import { assert } from "./assert.ts";
import type { NodeId } from "./ids.ts";

/** Rounds whose time of leaving is kept at most; the others count as having left with the one before. */
const roundsMax = 32;

/** Before the clock was first told: nothing may be assumed to be over. */
export const never: number = Infinity;

/** To whom a member promised that it helps nobody else into office, and until when by its own clock. */
export interface LeasePromise {
  /** Null: whoever led before this process began, whose promises it does not remember. */
  to: NodeId | null;
  untilMs: number;
}

/** When a round of heartbeats left, by the leader's clock: not later than it did. */
interface RoundStart {
  readonly round: number;
  readonly sentMs: number;
}

/**
 * A leader's lease: for a while after a quorum promised to help nobody else, nobody else can have committed anything, so
 * linearizable reads need not ask (Raft thesis, section 6.4.1). It holds from when the heartbeats left that the promises
 * answer, and is shorter than the promises by what the clocks may differ.
 */
export class LeaderLease {
  #starts: RoundStart[] = [];
  #isGivenUp = false;

  /** Somebody was asked to take over, at once or whenever the order reaches it: not safe again in this term. */
  giveUp(): void {
    this.#isGivenUp = true;
    this.#starts = [];
  }

  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  /** Round `round` leaves now. `durationMs`: how long it could serve. */
  noteRound(round: number, nowMs: number, durationMs: number): void {
    const starts = this.#starts;
    const last = starts[starts.length - 1];
    assert(last === undefined || (last.round < round && last.sentMs <= nowMs), "lease_rounds_rise");
    if (last !== undefined && nowMs - last.sentMs < durationMs / roundsMax) return;
    starts.push({ round, sentMs: nowMs });
    while (starts.length > roundsMax + 1) starts.shift();
  }

  /** When `round` left at the earliest; 0 if that is not known any more. */
  sentMs(round: number): number {
    const { length } = this.#starts;
    for (let at = length - 1; at >= 0; at -= 1) {
      const start = this.#starts[at];
      if (start !== undefined && start.round <= round) return start.sentMs;
    }
    return 0;
  }
}

/** What a core that begins has promised: nothing, or it does not know what. */
export function initialPromise(hasLeases: boolean): LeasePromise {
  return { to: null, untilMs: hasLeases ? never : 0 };
}
