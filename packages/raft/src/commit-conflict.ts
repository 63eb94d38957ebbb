import type { LogIndex, NodeId, Term } from "./ids.ts";

/** A leader sent something else for an index than what is committed here: one of the two has lost acknowledged entries. */
export interface CommitConflict {
  /** They differ here, or before. */
  readonly index: LogIndex;
  /** Of the entry that is committed here. */
  readonly term: Term;
  readonly leader: NodeId;
  readonly leaderTerm: Term;
  /** Of the leader's entry. */
  readonly theirTerm: Term;
}
