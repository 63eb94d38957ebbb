import type { LogIndex, Member } from "@quorate/raft";
import { reached } from "../points.ts";

/** There are never more than this. */
const ACQUAINTANCES_MAX = 16;

/** A member of an ensemble that this node is not, or not yet, part of. */
export interface Acquaintance {
  readonly member: Member;
  /** Of the history that it belongs to. */
  readonly historyId: string;
  /** Up to where it had applied the log of that when it introduced itself. */
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
  meet(acquaintance: Acquaintance): boolean {
    const { name } = acquaintance.member;
    if (this.#byName.size >= ACQUAINTANCES_MAX && !this.#byName.has(name)) return false;
    this.#byName.set(name, acquaintance);
    return true;
  }

  /** This node belongs to that history: of members of another one it has nothing to learn. */
  settle(historyId: string): void {
    for (const [name, acquaintance] of this.#byName) {
      if (acquaintance.historyId === historyId) continue;
      reached("acquaintance_of_another_history");
      this.#byName.delete(name);
    }
  }

  /** This node has applied the log up to `index`: whoever had no more than that is a member here, or none any more. */
  catchUp(index: LogIndex): void {
    for (const [name, { appliedIndex }] of this.#byName) {
      if (appliedIndex <= index) this.#byName.delete(name);
    }
  }
}
