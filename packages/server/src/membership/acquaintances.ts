import type { LogIndex, Member } from "@quorate/raft";

/** There are never more than this. */
const ACQUAINTANCES_MAX = 16;

/** A member of an ensemble that this node is not, or not yet, part of. */
interface Acquaintance {
  readonly member: Member;
  /** Up to where it had applied the log when it introduced itself. */
  readonly appliedIndex: number;
}

/**
 * Nodes that are no members here, but were ones where more of the log was applied: perhaps nobody else leads to the members
 * that there are now. By name; the later one counts.
 */
export class Acquaintances {
  readonly #byName = new Map<string, Acquaintance>();

  get members(): readonly Member[] {
    return [...this.#byName.values()].map(({ member }) => member);
  }

  /** False: there is no room. */
  meet(member: Member, appliedIndex: number): boolean {
    const { name } = member;
    if (this.#byName.size >= ACQUAINTANCES_MAX && !this.#byName.has(name)) return false;
    this.#byName.set(name, { member, appliedIndex });
    return true;
  }

  /** This node has applied the log up to `index`: whoever had no more than that is a member here, or none any more. */
  catchUp(index: LogIndex): void {
    for (const [name, { appliedIndex }] of this.#byName) {
      if (appliedIndex <= index) this.#byName.delete(name);
    }
  }
}
