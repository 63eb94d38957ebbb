import { assert } from "./assert.ts";
import type { LogIndex, NodeId } from "./ids.ts";
import { isVoter } from "./membership-rules.ts";
import type { Membership } from "./membership.ts";

interface Step {
  readonly index: LogIndex;
  readonly membership: Membership;
}

/**
 * The memberships that the log stands for, oldest first: the newest is in force from the moment it is appended (Raft
 * thesis, section 4.1), and truncation brings the one before it back.
 */
export class MembershipHistory {
  #steps: Step[];

  constructor(index: LogIndex, membership: Membership) {
    this.#steps = [{ index, membership }];
  }

  get #last(): Step {
    const last = this.#steps[this.#steps.length - 1];
    assert(last !== undefined, "membership_history_has_base");
    return last;
  }

  /** The membership in force. */
  get current(): Membership {
    return this.#last.membership;
  }

  /** Where the membership in force stands in the log. */
  get currentIndex(): LogIndex {
    return this.#last.index;
  }

  /** How many memberships lie after `commitIndex`. */
  countAfter(commitIndex: LogIndex): number {
    return this.#steps.filter((step) => step.index > commitIndex).length;
  }

  /** True if `id` votes in the membership in force or in one that may yet come back into force. */
  hasVoter(id: NodeId): boolean {
    return this.#steps.some((step) => isVoter(step.membership, id));
  }

  /** A config entry was appended. */
  push(index: LogIndex, membership: Membership): void {
    assert(index > this.#last.index, "membership_history_rises");
    this.#steps.push({ index, membership });
  }

  /** The log dropped `index` and everything after it. True if the membership in force changed. */
  truncateFrom(index: LogIndex): boolean {
    const before = this.#steps.length;
    while (this.#last.index >= index) {
      assert(this.#steps.length > 1, "membership_history_keeps_base");
      this.#steps.pop();
    }
    return this.#steps.length !== before;
  }

  /** Where the oldest one stands that is still remembered: the newest of which nothing can be truncated any more. */
  get settledIndex(): LogIndex {
    const first = this.#steps[0];
    assert(first !== undefined, "membership_history_has_base");
    return first.index;
  }

  /** Nothing up to `commitIndex` can be truncated any more: forget what was in force before. True if there was something. */
  settle(commitIndex: LogIndex): boolean {
    const before = this.#steps.length;
    while (this.#steps.length > 1) {
      const next = this.#steps[1];
      if (next === undefined || next.index > commitIndex) break;
      this.#steps.shift();
      assert(this.#last.index >= next.index, "membership_history_rises");
    }
    return this.#steps.length !== before;
  }

  /** The log was replaced by a snapshot: only its membership counts, whatever was appended before. */
  reset(index: LogIndex, membership: Membership): void {
    this.#steps = [{ index, membership }];
  }
}
