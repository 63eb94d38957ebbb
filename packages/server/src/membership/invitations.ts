import { isMember, type Member, type Membership, type Promotion, type Term } from "@quorate/raft";
import { reached } from "../points.ts";

/** Nodes and invitations that are remembered; there are never more members than this. */
const REMEMBERED_MAX = 16;
/** A node that asks in vain asks again within a second, ms. */
export const ASKING_MS = 5_000;
/** An invitation that nobody took up ends after this, ms, if not before; whoever gave it may give it again. */
export const INVITED_MS = 600_000;

/** How an invitation ended by itself: its time is over, or the node that gave it has not led all the while. */
export type InvitationEnd = "ranOut" | "leadInterrupted";

interface Until {
  readonly untilMs: number;
}

interface Invitation {
  readonly promotion: Promotion;
  readonly otherwise: Promotion;
}

/**
 * Who may come in, and who would like to. A node becomes a member when it asks under a name that is invited: whoever asks
 * without an invitation is not let in, and an invitation alone takes nobody in.
 */
export class Invitations {
  readonly #invited = new Map<string, Until & Invitation>();
  readonly #asking = new Map<string, Until & { readonly member: Member }>();
  readonly #onEnd: (name: string, end: InvitationEnd) => void;
  #term: Term | null = null;

  /** `onEnd` is told of every invitation that ends by itself, but for those that later ones push out. Default: nobody is. */
  constructor(onEnd: (name: string, end: InvitationEnd) => void = () => undefined) {
    this.#onEnd = onEnd;
  }

  /**
   * The node has got as far as `term`. Invitations end with the leadership that gave them: whoever led in between knew nothing of
   * them, and what was withdrawn there must not come back.
   */
  onTerm(term: Term): void {
    const before = this.#term;
    this.#term = term;
    if (before === null || before === term || this.#invited.size === 0) return;
    reached("invitations_of_an_earlier_leadership");
    const names = [...this.#invited.keys()];
    this.#invited.clear();
    for (const name of names) this.#onEnd(name, "leadInterrupted");
  }

  /**
   * The node called `name` may come. `otherwise`: as what, if whoever it is to replace has gone before. What was asked under
   * this name before may be the last word of an identity that is gone for good: taken in, it would keep the name from the one
   * that is meant. Whoever is there asks again.
   */
  invite(
    name: string,
    promotion: Promotion,
    nowMs: number,
    otherwise: Promotion = promotion,
  ): void {
    this.#asking.delete(name);
    remember(this.#invited, name, { promotion, otherwise, untilMs: nowMs + INVITED_MS });
  }

  /** The invitation, or the node's wish, is of the past. */
  withdraw(name: string): void {
    this.#invited.delete(name);
    this.#asking.delete(name);
  }

  /** A node asks to come in. */
  onAsked(member: Member, nowMs: number): void {
    remember(this.#asking, member.name, { member, untilMs: nowMs + ASKING_MS });
  }

  isInvited(name: string, nowMs: number): boolean {
    this.#forget(nowMs);
    return this.#invited.has(name);
  }

  /** Nodes that ask to come in now. */
  asking(nowMs: number): readonly Member[] {
    this.#forget(nowMs);
    return [...this.#asking.values()].map(({ member }) => member);
  }

  /** Names that are invited and do not ask. */
  awaited(nowMs: number): readonly string[] {
    this.#forget(nowMs);
    return [...this.#invited.keys()].filter((name) => !this.#asking.has(name));
  }

  /** Who may be taken in now, as it was invited to be. */
  welcome(membership: Membership, nowMs: number): readonly Member[] {
    return this.asking(nowMs).flatMap((member) => {
      const invitation = this.#invited.get(member.name);
      if (invitation === undefined) return [];
      const { promotion, otherwise } = invitation;
      const isLate = promotion.kind === "replacement" && !isMember(membership, promotion.of);
      return [{ ...member, promotion: isLate ? otherwise : promotion }];
    });
  }

  #forget(nowMs: number): void {
    for (const [name, { untilMs }] of this.#asking) {
      if (untilMs <= nowMs) this.#asking.delete(name);
    }
    for (const [name, { untilMs }] of this.#invited) {
      if (untilMs > nowMs) continue;
      this.#invited.delete(name);
      this.#onEnd(name, "ranOut");
    }
  }
}

/** The oldest makes room: strangers may call themselves anything. */
function remember<T>(known: Map<string, T>, name: string, value: T): void {
  known.delete(name);
  known.set(name, value);
  if (known.size <= REMEMBERED_MAX) return;
  const [oldest] = known.keys();
  if (oldest !== undefined) known.delete(oldest);
}
