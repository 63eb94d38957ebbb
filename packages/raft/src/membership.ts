import type { NodeId } from "./ids.ts";

/** One member's part that the core does not read: what the host needs to reach it and to name it. */
export interface Member {
  readonly id: NodeId;
  /** The operator's name for it, unique in the ensemble. */
  readonly name: string;
  /** `host:port` of its peer listener. */
  readonly peerAddress: string;
  /** `host:port` of its client listener, as clients should dial it. */
  readonly clientAddress: string;
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
