import type { LogIndex, NodeId, SoftState, Term } from "@quorate/raft";
import type { Applier } from "./applier.ts";
import { pollUntil } from "./poll-until.ts";
import type { MonotonicClock } from "./ports.ts";
import type { WaitingRead } from "./reads.ts";

/** What {@link Readiness} works with. */
export interface ReadinessPorts {
  readonly clock: MonotonicClock;
  /** As the core last told it. */
  soft(): SoftState;
  /** As far as this node knows. */
  commitIndex(): LogIndex;
  applied(): Pick<Applier, "appliedIndex" | "appliedTerm">;
  /** Asks for a read index; `run` is called with it. */
  confirm(read: WaitingRead): void;
}

/** The reason of a node that may have everything, and has not asked or been told. */
export const LEADER_NOT_HEARD = "the leader has not said how far it is";

/** Requests that wait for the leader's word at once; one more is answered with what is known. */
const WAITING_MAX = 32;

/** How far the leader was, confirmed by a quorum, when it was asked as the leader of that term. */
interface Word {
  readonly leader: NodeId;
  readonly term: Term;
  readonly index: LogIndex;
}

/**
 * Whether this node has what is committed. Of that a node that lags knows only as much as it has, so the leader is asked:
 * when somebody wants to know and not before, one question at a time.
 */
export class Readiness {
  readonly #ports: ReadinessPorts;
  #word: Word | null = null;
  #isAsking = false;
  #waitingCount = 0;
  #isStopped = false;

  constructor(ports: ReadinessPorts) {
    this.#ports = ports;
  }

  /** Nobody waits any more. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Begins a question unless one is under way, or there is nobody to ask. */
  ask(): void {
    const { leader, term } = this.#ports.soft();
    if (leader === null || this.#isAsking || this.#isStopped) return;
    this.#isAsking = true;
    const run = (index: LogIndex): void => {
      this.#isAsking = false;
      this.#word = { leader, term, index };
    };
    this.#ports.confirm({ index: null, run });
  }

  /**
   * Asks; resolves once this node has applied what the leader has said since, at the latest after `patienceMs`, and at once
   * where there is no leader or too many wait.
   */
  async look(patienceMs: number): Promise<void> {
    this.ask();
    const before = this.#word;
    if (this.#waitingCount >= WAITING_MAX || this.#isSettled(before)) return;
    this.#waitingCount += 1;
    await pollUntil(this.#ports.clock, patienceMs, () => this.#isSettled(before));
    this.#waitingCount -= 1;
  }

  /** Why it does not have everything, going by the leader's last word; asks nobody. */
  reasons(): readonly string[] {
    const lack = this.#lack();
    return [
      ...(this.#ports.soft().leader === null ? ["no leader is known"] : []),
      ...(lack === null ? [] : [lack]),
    ];
  }

  #lack(): string | null {
    const { leader, term } = this.#ports.soft();
    const { appliedIndex, appliedTerm } = this.#ports.applied();
    if (appliedTerm !== term) return "not caught up with the leader";
    if (appliedIndex < this.#ports.commitIndex()) return "applying the log";
    if (leader === null) return null;
    const index = this.#toldIndex();
    if (index === null) return LEADER_NOT_HEARD;
    return appliedIndex < index ? "not caught up with the leader" : null;
  }

  #isSettled(before: Word | null): boolean {
    if (this.#isStopped || this.#ports.soft().leader === null) return true;
    if (this.#word === before) return false;
    const index = this.#toldIndex();
    // What was asked of the leader before this one says nothing.
    if (index === null) this.ask();
    return index !== null && this.#ports.applied().appliedIndex >= index;
  }

  /** Null: the present leader has not said it in this term. */
  #toldIndex(): LogIndex | null {
    const { leader, term } = this.#ports.soft();
    const word = this.#word;
    return word !== null && word.leader === leader && word.term === term ? word.index : null;
  }
}
