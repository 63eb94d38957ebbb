import type { Entry } from "./entry.ts";
import type { LogIndex, NodeId, Term } from "./ids.ts";
import type { Membership } from "./membership.ts";

interface Envelope {
  readonly from: NodeId;
  readonly to: NodeId;
  /** The sender's term; for a pre-vote request and a granted pre-vote, the term that would be campaigned for. */
  readonly term: Term;
}

/** Asks for a vote, or with `preVote` whether one would be given (Raft thesis section 9.6). */
export interface RequestVote extends Envelope {
  readonly kind: "requestVote";
  readonly preVote: boolean;
  /** The leader handed over: voters skip leader stickiness (Raft thesis section 4.2.3). */
  readonly transfer: boolean;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
}

/** Answer to a {@link RequestVote}. Raft paper, figure 2. */
export interface RequestVoteReply extends Envelope {
  readonly kind: "requestVoteReply";
  readonly preVote: boolean;
  readonly granted: boolean;
}

/** Entries to replicate, or none to probe. Raft paper, figure 2. */
export interface AppendEntries extends Envelope {
  readonly kind: "appendEntries";
  readonly prevIndex: LogIndex;
  readonly prevTerm: Term;
  readonly entries: readonly Entry[];
  readonly commitIndex: LogIndex;
}

/**
 * `matchIndex` (when `ok`) is durable on the sender and equal to the leader's log. A rejection names the first index
 * that is in doubt (`rejectedIndex`, the request's prevIndex), where the follower's log could agree at best (`hintIndex`),
 * and with `matchIndex` what it knows to be committed, where the logs agree for certain.
 */
export interface AppendEntriesReply extends Envelope {
  readonly kind: "appendEntriesReply";
  readonly ok: boolean;
  readonly matchIndex: LogIndex;
  readonly rejectedIndex: LogIndex;
  readonly hintIndex: LogIndex;
  readonly hintTerm: Term;
}

/**
 * Keeps followers quiet and, by `round`, confirms leadership for reads: rounds rise within a term, never reused. What is committed
 * goes as far as the receiver has acknowledged to this leader. `commitTerm`: of the entry there, by which the receiver sees that
 * it has it still; 0: the leader does not know it any more.
 */
export interface Heartbeat extends Envelope {
  readonly kind: "heartbeat";
  readonly commitIndex: LogIndex;
  readonly commitTerm: Term;
  readonly round: number;
}

/**
 * The commit moved and there is nothing to append. It covers what the receiver has already found to be the leader's in this
 * term. Nobody answers: under a single writer those answers would be every second message.
 */
export interface CommitNotice extends Envelope {
  readonly kind: "commitNotice";
  readonly commitIndex: LogIndex;
}

/** Answer to a {@link Heartbeat}: for `promiseMs` its sender helps nobody else into office (0: it promises nothing). */
export interface HeartbeatReply extends Envelope {
  readonly kind: "heartbeatReply";
  readonly round: number;
  readonly promiseMs: number;
}

/** A follower asks the leader for a read index; `context` is never reused, also not across restarts. */
export interface ReadIndexRequest extends Envelope {
  readonly kind: "readIndexRequest";
  readonly context: ReadContext;
}

/** `index` is null when the receiver could not serve it (not leader, or no commit in its term yet): ask again. */
export interface ReadIndexReply extends Envelope {
  readonly kind: "readIndexReply";
  readonly context: ReadContext;
  readonly index: LogIndex | null;
}

/** Identifies a batch of linearizable reads: a per-process nonce and a counter. */
export interface ReadContext {
  readonly nonce: number;
  readonly counter: number;
}

/** What a snapshot stands for. */
export interface SnapshotMeta {
  readonly index: LogIndex;
  readonly term: Term;
  readonly membership: Membership;
}

/**
 * The leader's order to replace the log by a snapshot. The host carries the bytes outside the core: on the sender it
 * turns this message into a transfer, on the receiver it steps the message in only once the bytes are complete,
 * verified and durable. The receiver's core installs it (`Ready.installSnapshot`) only where its own log does not hold the
 * snapshot's last entry already; otherwise nothing comes of it but an acknowledgement.
 */
export interface InstallSnapshot extends Envelope {
  readonly kind: "installSnapshot";
  readonly snapshot: SnapshotMeta;
}

/** The leader hands over: campaign at once (Raft thesis section 3.10). */
export interface TimeoutNow extends Envelope {
  readonly kind: "timeoutNow";
}

/** Everything one core says to another. */
export type Message =
  | RequestVote
  | RequestVoteReply
  | AppendEntries
  | AppendEntriesReply
  | Heartbeat
  | HeartbeatReply
  | CommitNotice
  | ReadIndexRequest
  | ReadIndexReply
  | InstallSnapshot
  | TimeoutNow;
