import { assert } from "./assert.ts";
import type { LogIndex, NodeId } from "./ids.ts";
import type { ReadContext } from "./message.ts";

/** Read requests that a leader holds at most; more are refused. */
export const leaderReadsMax = 4096;

/** A read that somebody waits for: the leader itself or a peer that forwarded it. */
export interface ReadRequest {
  readonly from: NodeId;
  readonly context: ReadContext;
}

/** Reads that one heartbeat round will confirm, all of them at `index`. */
export interface ReadRound {
  readonly round: number;
  readonly index: LogIndex;
  readonly requests: readonly ReadRequest[];
}

/**
 * A leader's linearizable reads: requests gather until the next round of heartbeats, which confirms for all of them that
 * nobody else led when it was sent (Raft thesis, section 6.4). A request never joins a round that has left.
 */
export class LeaderReads {
  #gathered: ReadRequest[] = [];
  #rounds: ReadRound[] = [];
  #count = 0;

  /** Requests that are not answered yet. */
  get count(): number {
    return this.#count;
  }

  get hasGathered(): boolean {
    return this.#gathered.length > 0;
  }

  /** Requests that wait for the next round. */
  get gatheredCount(): number {
    return this.#gathered.length;
  }

  /** False if there is no room. */
  add(request: ReadRequest): boolean {
    assert(this.#count <= leaderReadsMax, "leader_reads_bound");
    if (this.#count === leaderReadsMax) return false;
    this.#gathered.push(request);
    this.#count += 1;
    return true;
  }

  /** Takes out what has gathered and needs no round. */
  takeGathered(): readonly ReadRequest[] {
    const requests = this.#gathered;
    this.#gathered = [];
    this.#count -= requests.length;
    assert(this.#count >= 0, "leader_reads_count");
    return requests;
  }

  /** What has gathered will be confirmed by `round`, at `index`. */
  beginRound(round: number, index: LogIndex): void {
    const last = this.#rounds[this.#rounds.length - 1];
    assert(last === undefined || last.round < round, "leader_reads_rounds_rise");
    assert(last === undefined || last.index <= index, "leader_reads_indexes_rise");
    this.#rounds.push({ round, index, requests: this.#gathered });
    this.#gathered = [];
  }

  /** Takes out the oldest round if it is confirmed; call until it returns null. */
  takeConfirmed(confirmedRound: number): ReadRound | null {
    const first = this.#rounds[0];
    if (first === undefined || first.round > confirmedRound) return null;
    this.#rounds.shift();
    this.#count -= first.requests.length;
    assert(this.#count >= 0, "leader_reads_count");
    return first;
  }

  /** Takes out everything, unanswered. */
  drain(): readonly ReadRequest[] {
    const requests = [...this.#rounds.flatMap((round) => round.requests), ...this.#gathered];
    assert(requests.length === this.#count, "leader_reads_count");
    this.#rounds = [];
    this.#gathered = [];
    this.#count = 0;
    return requests;
  }
}
