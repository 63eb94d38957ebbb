import type { CommitConflict } from "./commit-conflict.ts";
import type { LogIndex, NodeId, Term } from "./ids.ts";
import type { Membership } from "./membership.ts";
import type { Role } from "./ready.ts";

/** How a leader replicates to a peer: one append at a time, a pipeline, or a snapshot on its way. */
export type ProgressState = "probe" | "replicate" | "snapshot";

/** A leader's view of one peer. */
export interface PeerStatus {
  readonly id: NodeId;
  readonly state: ProgressState;
  /** Highest index known to be durable there and equal to the leader's log. */
  readonly matchIndex: LogIndex;
  /** The next index to send; always above `matchIndex`. */
  readonly nextIndex: LogIndex;
  /** Entries and bytes sent and not yet acknowledged. */
  readonly inflightEntries: number;
  readonly inflightBytes: number;
  /** Waiting for entries that only the disk holds. */
  readonly isFetching: boolean;
  /** Something was heard from it within the last `electionTicks`. */
  readonly recentlyActive: boolean;
  /** It acknowledged entries up to here, beyond the leader's log, so its own is another one; null: it did not. */
  readonly claimedIndex: LogIndex | null;
}

/** A copy of what a core knows, for operators, health checks and tests. */
export interface RaftStatus {
  readonly id: NodeId;
  readonly role: Role;
  readonly term: Term;
  readonly leader: NodeId | null;
  readonly votedFor: NodeId | null;
  /** First index that is still in memory. */
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  readonly commitIndex: LogIndex;
  /** Highest index that the host reported as applied. */
  readonly appliedIndex: LogIndex;
  /** Highest index up to which this node's own log is durable. */
  readonly persistedIndex: LogIndex;
  /** The membership in force, committed or not. */
  readonly membership: Membership;
  /** The membership in force is not committed yet. */
  readonly isMembershipPending: boolean;
  /** Bytes of entries after `commitIndex`; counted by leaders only, 0 elsewhere. */
  readonly uncommittedBytes: number;
  /** Bytes of the log that are held in memory. */
  readonly memoryLogBytes: number;
  /** The peer that leadership is being handed to. */
  readonly transferringTo: NodeId | null;
  /** Leases are on, and nobody else can lead yet: linearizable reads are answered without asking. */
  readonly hasLease: boolean;
  /** A disk write has been outstanding for `electionTicks` or longer. */
  readonly isDiskStuck: boolean;
  /** Entries that it acknowledged are not in its log any more: it takes no part until the host has made that good. */
  readonly hasLostEntries: boolean;
  /** Not null: it takes no part any more, and what it has may be all that is left of acknowledged entries. */
  readonly conflict: CommitConflict | null;
  /** A leader's peers, ascending by id; empty on every other node. */
  readonly peers: readonly PeerStatus[];
}
