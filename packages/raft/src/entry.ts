import type { LogIndex, Term } from "./ids.ts";
import type { Membership } from "./membership.ts";

/** Names one log slot: two entries with equal ids are equal (Log Matching, Raft paper section 5.3). */
export interface EntryId {
  readonly term: Term;
  readonly index: LogIndex;
}

/** The first entry of every leader's term; changes nothing. */
export interface NoopEntry extends EntryId {
  readonly kind: "noop";
}

/** An opaque command of the replicated state machine. */
export interface CommandEntry extends EntryId {
  readonly kind: "command";
  readonly data: Uint8Array;
}

/** A membership, in force from the moment it is appended (Raft thesis section 4.1). */
export interface ConfigEntry extends EntryId {
  readonly kind: "config";
  readonly membership: Membership;
}

/** A log slot. */
export type Entry = NoopEntry | CommandEntry | ConfigEntry;
