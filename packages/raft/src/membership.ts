import type { NodeId } from "./ids.ts";

/** What a learner becomes once it has caught up; the host sees to it. Of no meaning for a voter. */
export type Promotion =
  /** It stays a learner until somebody decides otherwise. */
  | { readonly kind: "none" }
  | { readonly kind: "voter" }
  /** What that member is or was to become, in its place: it leaves with the same change. */
  | { readonly kind: "replacement"; readonly of: NodeId };

/** One member's part that the core does not read: what the host needs to reach it and to name it. */
export interface Member {
  readonly id: NodeId;
  /** The operator's name for it, unique in the ensemble. */
  readonly name: string;
  /** `host:port` of its peer listener. */
  readonly peerAddress: string;
  /** `host:port` of its client listener, as clients should dial it. */
  readonly clientAddress: string;
  readonly promotion: Promotion;
}

/**
 * Who takes part. `voters` decide; while `outgoingVoters` is not empty the configuration is joint and every decision
 * needs a majority of each set (Raft paper, section 6). `learners` receive the log and decide nothing.
 */
export interface Membership {
  readonly voters: readonly NodeId[];
  readonly outgoingVoters: readonly NodeId[];
  readonly learners: readonly NodeId[];
  /** Sorted by id; exactly one for each id above. */
  readonly members: readonly Member[];
}
