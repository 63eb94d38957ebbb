import type { MemberList } from "./member-list.ts";

/** A server forgets an invitation after ten minutes; a little less, ms. */
const INVITED_MS = 590_000;

/** What has become of an invitation. `lost`: the leader that gave it leads no more, or it ran out; it has to be given again. */
export type InvitationState = "there" | "lost" | "withdrawn";

/** Follows what became of one invitation, from look to look. */
export class InvitationWatch {
  readonly #name: string;
  #given: { readonly term: number; readonly atMs: number } | null = null;

  constructor(name: string) {
    this.#name = name;
  }

  look(list: MemberList, nowMs: number): InvitationState {
    const { term } = list;
    const given = this.#given;
    const isOfThisLeader = given !== null && given.term === term && nowMs - given.atMs < INVITED_MS;
    if (isExpected(this.#name, list)) {
      if (given?.term !== term) this.#given = { term, atMs: nowMs };
      return "there";
    }
    // Who asks is listed as such, invited or not.
    if (isOfThisLeader) return list.joining.includes(this.#name) ? "there" : "withdrawn";
    this.#given = { term, atMs: nowMs };
    return "lost";
  }
}

function isExpected(name: string, { members, invited }: MemberList): boolean {
  return invited.includes(name) || members.some((member) => member.name === name);
}
