import type { Member } from "@quorate/raft";

/** A node that is no member, on an empty data directory, asks to become one. */
export interface JoinRequest {
  /**
   * `join`: as a new member, which an operator has to announce. `rejoin`: under its old name, in the place of the identity
   * that was lost with its data.
   */
  readonly kind: "join" | "rejoin";
  readonly member: Member;
}
