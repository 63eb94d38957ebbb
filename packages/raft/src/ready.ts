import type { Entry } from "./entry.ts";
import type { LogIndex, NodeId, Term } from "./ids.ts";
import type { PersistTicket } from "./input.ts";
import type { Message, ReadContext, SnapshotMeta } from "./message.ts";

/** What must be durable before anything that depends on it is said. Raft paper, Figure 2. */
export interface HardState {
  readonly term: Term;
  readonly votedFor: NodeId | null;
}

/** What a member is in its term. Raft paper, section 5.1; preCandidate: Raft thesis, section 9.6. */
export type Role = "follower" | "preCandidate" | "candidate" | "leader";

/** May be lost; for the host's routing and for people. */
export interface SoftState {
  readonly role: Role;
  readonly leader: NodeId | null;
  readonly term: Term;
}

/**
 * One durable write. The host writes all of it as one record and then steps `persisted` with the ticket; what depends on
 * it leaves the core only then, so the host never has to order messages against the disk.
 */
export interface PersistWork {
  readonly ticket: PersistTicket;
  /** Always the current one, so that each record stands for itself. */
  readonly hardState: HardState;
  /** Drops any stored entry with an index at or above `entries[0].index`. May be empty. */
  readonly entries: readonly Entry[];
  /** The log now starts behind this snapshot, which is already durable: drop everything stored before. */
  readonly snapshot: SnapshotMeta | null;
}

/**
 * Entries that the core no longer holds in memory, wanted for a peer. Answered by a `fetched` input; one without an answer
 * is repeated after `electionTicks`.
 */
export interface FetchWork {
  readonly peer: NodeId;
  readonly from: LogIndex;
  /** Highest index that may be returned. */
  readonly to: LogIndex;
  readonly bytesMax: number;
}

/** `index` null: refused (no leader, leader changed, request lost to a timeout); ask again with a new context. */
export interface ReadState {
  readonly context: ReadContext;
  readonly index: LogIndex | null;
}

/** The work list of one turn. Handing it out passes the obligation: there is no `advance`. */
export interface Ready {
  /** Null: unchanged since the last one handed out. */
  readonly softState: SoftState | null;
  /** Null: nothing to write, or a write is still in flight (at most one is). */
  readonly persist: PersistWork | null;
  /** May leave at once, in this order. */
  readonly messages: readonly Message[];
  /** Apply in order; never handed out twice, and never before the own disk has them. */
  readonly committed: readonly Entry[];
  /**
   * Replace the state machine by this snapshot before applying `committed`, then step `applied` with its index. Handed out
   * once, after the write that made the log start behind it: whoever restarts between the two finds a log that stands on the
   * received image. So a received image is kept until this or a later one is installed.
   */
  readonly installSnapshot: SnapshotMeta | null;
  readonly reads: readonly ReadState[];
  readonly fetches: readonly FetchWork[];
}
