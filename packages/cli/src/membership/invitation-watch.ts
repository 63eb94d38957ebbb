import type { MemberList } from "./member-list.ts";

/** A server forgets an invitation after ten minutes; a little less, ms. */
const INVITED_MS = 590_000;

/**
 * What has become of an invitation. `lost`: the leader that gave it leads no more, or it ran out; it has to be given again.
 * `takenOut`: its node came, and is no member any more.
 */
export type InvitationState = "there" | "lost" | "withdrawn" | "takenOut";

/** Follows what became of one invitation, from look to look. */
export class InvitationWatch {
  readonly #name: string;
  #given: { readonly term: number; readonly atMs: number } | null = null;
  /** Term of the leader that last had its node among the members. */
  #cameIn: number | null = null;

  constructor(name: string) {
    this.#name = name;
  }

  look(list: MemberList, nowMs: number): InvitationState {
    const { term } = list;
    const given = this.#given;
    const isOfThisLeader = given !== null && given.term === term && nowMs - given.atMs < INVITED_MS;
    const isMember = list.members.some((member) => member.name === this.#name);
    if (isMember) this.#cameIn = term;
    if (isMember || list.invited.includes(this.#name)) {
      if (given?.term !== term) this.#given = { term, atMs: nowMs };
      return "there";
    }
    if (this.#cameIn === term) return "takenOut";
    // Who asks is listed as such, invited or not.
    if (isOfThisLeader) return list.joining.includes(this.#name) ? "there" : "withdrawn";
    this.#given = { term, atMs: nowMs };
    return "lost";
  }
}
