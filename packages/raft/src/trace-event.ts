import type { LogIndex, NodeId, Term } from "./ids.ts";
import type { Membership } from "./membership.ts";
import type { ReadContext } from "./message.ts";
import type { Role } from "./ready.ts";
import type { ProgressState } from "./status.ts";

/** Why a core became what it is, or follows whom it follows. */
export type RoleChangeReason =
  /** Nothing was heard of a leader for an election timeout. */
  | "electionTimeout"
  /** The link to the leader broke. */
  | "leaderSuspected"
  /** The host said so. */
  | "campaignOrdered"
  /** The leader hands over. */
  | "transferOrdered"
  /** A majority would vote for it. */
  | "preVoteWon"
  | "preVoteLost"
  | "electionWon"
  | "electionLost"
  /** It won the pre-vote and may not stand any more: its disk is stuck, or it is no voter. */
  | "mayNotCampaign"
  /** A pre-candidate lets one go first that is as good. */
  | "gaveWay"
  /** Somebody is in a later term. */
  | "higherTerm"
  /** The leader of this term was heard. */
  | "leaderHeard"
  /** A leader that a majority has not answered for an election timeout. */
  | "noQuorum"
  /** A leader whose disk does not answer. */
  | "diskStuck"
  /** A leader that hears a majority and commits nothing. */
  | "noMovement"
  /** A leader that is no voter any more. */
  | "removed";

/** What became of a question to the disk: see `Ready.fetches`. */
export type FetchOutcome =
  /** The entries left for the peer. */
  | "sent"
  /** The disk has forgotten them. */
  | "gone"
  /** They do not fit in the peer's window now. */
  | "noRoom"
  /** No answer came for an election timeout. */
  | "expired"
  /** The peer acknowledged more than where they begin. */
  | "overtaken";

/** The events by kind, and what each tells. */
interface TraceEventFields {
  /** What a core begins with; first of all. `last…`: the end of its log, all of it durable, as are term and vote. */
  started: {
    readonly id: NodeId;
    readonly term: Term;
    readonly votedFor: NodeId | null;
    readonly imageIndex: LogIndex;
    readonly imageTerm: Term;
    readonly lastIndex: LogIndex;
    readonly lastTerm: Term;
    readonly membershipIndex: LogIndex;
    readonly membership: Membership;
  };

  // Elections.
  /** A later term, in which it knows no leader yet and nobody has its vote. */
  termEntered: { readonly term: Term };
  /** Also told of a pre-candidate that begins anew. Whoever answered it before counts no more. */
  roleChanged: {
    readonly from: Role;
    readonly to: Role;
    readonly term: Term;
    readonly reason: RoleChangeReason;
  };
  /** Whom it takes for the leader of the term; null: nobody. */
  leaderChanged: {
    readonly leader: NodeId | null;
    readonly term: Term;
    readonly reason: RoleChangeReason;
  };
  /** The link to the leader broke; it asks around soon. */
  leaderSuspected: { readonly leader: NodeId };
  /** The leader was heard again. */
  suspicionEnded: { readonly leader: NodeId };
  /** The vote of the term is given away, perhaps to itself; it does not count before it is durable. */
  voteGiven: { readonly term: Term; readonly to: NodeId };
  /** The vote is durable and leaves. */
  voteSent: { readonly term: Term; readonly to: NodeId };
  /** It asks the others. `term`: the one that it stands for. A vote proper is asked for once the own one is durable. */
  votesRequested: { readonly term: Term; readonly preVote: boolean };
  /** Its answer was the first of that node. `term`: the one that it stands for. */
  voteCounted: {
    readonly term: Term;
    readonly from: NodeId;
    readonly preVote: boolean;
    readonly granted: boolean;
  };

  // Log and disk.
  /** Entries of one term at the end of the log, from `from` up to and including `to`. */
  entriesAppended: { readonly term: Term; readonly from: LogIndex; readonly to: LogIndex };
  /** Entries from `from` on were dropped: they are not the leader's. */
  logTruncated: { readonly from: LogIndex };
  /** The log begins anew behind a snapshot, which is its image and as far as it is committed and handed out. */
  logReset: { readonly index: LogIndex; readonly term: Term };
  /** Entries before `firstIndex` are in memory no more; the disk has them. */
  memoryTrimmed: { readonly firstIndex: LogIndex };
  /** A write was handed out: term and vote, entries if `to` is at or above `from`, and what the log stands on. */
  writeBegun: {
    readonly seq: number;
    readonly term: Term;
    readonly votedFor: NodeId | null;
    readonly from: LogIndex;
    readonly to: LogIndex;
    readonly snapshotIndex: LogIndex | null;
  };
  /** The disk has it, and the log up to `persistedIndex`; 0: the disk has yet to learn of a snapshot. */
  writeDurable: {
    readonly seq: number;
    readonly term: Term;
    readonly votedFor: NodeId | null;
    readonly persistedIndex: LogIndex;
  };
  /** Entries are known to be committed, counted by itself as leader or told by the leader. */
  commitAdvanced: { readonly index: LogIndex; readonly isCounted: boolean };
  /** Committed entries were handed out to be applied. */
  entriesHandedOut: { readonly from: LogIndex; readonly to: LogIndex };
  /** A snapshot was handed out to be installed. */
  snapshotHandedOut: { readonly index: LogIndex };
  /** The state machine has everything up to `index`. */
  applied: { readonly index: LogIndex };
  /** Peers may be sent this image from now on. */
  imageOffered: { readonly index: LogIndex; readonly term: Term };

  // Membership.
  /** In force from here on, committed or not: it was appended, or came with a snapshot. */
  membershipInForce: { readonly index: LogIndex; readonly membership: Membership };
  /** What was in force was dropped with the log's end, and the one before it counts again. */
  membershipFellBack: { readonly index: LogIndex; readonly membership: Membership };
  /** It is committed: what was in force before it is forgotten. */
  membershipSettled: { readonly index: LogIndex };

  // Following.
  /** Up to `index` its log is known to be the leader's. */
  logMatched: { readonly index: LogIndex };
  /** What is durable here and known to be the leader's. */
  acknowledged: { readonly to: NodeId; readonly matchIndex: LogIndex };
  /** The append that follows `rejectedIndex` does not fit the log, which may agree up to `hintIndex`. */
  appendRejected: {
    readonly to: NodeId;
    readonly rejectedIndex: LogIndex;
    readonly hintIndex: LogIndex;
  };

  /** It acknowledged entries up to `acknowledgedIndex`, and its log ends at `lastIndex`: it takes no part any more. */
  lossFound: { readonly acknowledgedIndex: LogIndex; readonly lastIndex: LogIndex };

  /** The leader has something else at `index`, or before, than what is committed here: it takes no part any more. */
  conflictFound: { readonly index: LogIndex; readonly leader: NodeId };

  // Leading.
  peerAdded: { readonly peer: NodeId; readonly nextIndex: LogIndex };
  peerRemoved: { readonly peer: NodeId };
  /** How the leader replicates to it. */
  peerStateChanged: {
    readonly peer: NodeId;
    readonly from: ProgressState;
    readonly to: ProgressState;
    readonly nextIndex: LogIndex;
  };
  /** It acknowledged something new; `behind`: so many entries of the leader's log are still to come. */
  peerMatched: { readonly peer: NodeId; readonly matchIndex: LogIndex; readonly behind: number };
  /** It acknowledged more than the leader has, which ends at `lastIndex`: that counts for nothing. */
  peerClaimed: {
    readonly peer: NodeId;
    readonly matchIndex: LogIndex;
    readonly lastIndex: LogIndex;
  };
  /** It refused; the leader tries again from `nextIndex`. */
  peerRejected: {
    readonly peer: NodeId;
    readonly rejectedIndex: LogIndex;
    readonly nextIndex: LogIndex;
  };
  /** Entries after `prevIndex` up to and including `lastIndex` leave; none if they are equal. */
  appendSent: { readonly peer: NodeId; readonly prevIndex: LogIndex; readonly lastIndex: LogIndex };
  /** It is told of a commit without entries. */
  commitNoticeSent: { readonly peer: NodeId; readonly commitIndex: LogIndex };
  /** Entries for it are wanted from the disk, from `from` up to and including `to`. */
  fetchBegun: { readonly peer: NodeId; readonly from: LogIndex; readonly to: LogIndex };
  fetchEnded: { readonly peer: NodeId; readonly from: LogIndex; readonly outcome: FetchOutcome };
  /** The disk has nothing before `firstIndex` any more. */
  diskForgot: { readonly firstIndex: LogIndex };
  snapshotOrdered: { readonly peer: NodeId; readonly index: LogIndex };
  /** The transfer is over; `isComplete`: the peer has all of it. */
  snapshotEnded: { readonly peer: NodeId; readonly isComplete: boolean };
  transferBegun: { readonly to: NodeId };
  /** The successor has everything and is told to stand for election. No lease any more in this term. */
  transferOrdered: { readonly to: NodeId };
  /** The successor did not take over in time. */
  transferGivenUp: { readonly to: NodeId };

  // Heartbeats and linearizable reads.
  /** Every peer is told that this node leads, in a round of that number. */
  heartbeatsSent: { readonly round: number };
  /** A peer vouches for this round and those before. */
  roundAnswered: { readonly peer: NodeId; readonly round: number };
  /** A leader took a read in, of its own or of a peer. */
  readTaken: { readonly from: NodeId; readonly context: ReadContext };
  /** So many reads wait for this round, and will be answered with `index`. */
  readRoundBegun: { readonly round: number; readonly index: LogIndex; readonly count: number };
  /** A quorum has confirmed it: they are answered. */
  readRoundConfirmed: { readonly round: number; readonly index: LogIndex; readonly count: number };
  /** So many reads are answered with `index` at once: nobody else can lead yet. */
  readsOnLease: { readonly index: LogIndex; readonly count: number };
  /** A follower helps nobody but the leader into office until its clock says so. */
  promised: { readonly to: NodeId; readonly untilMs: number };
  /** A peer's promise counts from `fromMs` on, by the leader's clock. */
  peerPromised: { readonly peer: NodeId; readonly fromMs: number };
  /** A follower asks the leader. */
  readForwarded: { readonly leader: NodeId; readonly context: ReadContext };
  /** The host gets its answer; null: refused, to be asked again. */
  readAnswered: { readonly context: ReadContext; readonly index: LogIndex | null };
  /** A peer that forwarded a read is told to ask again. */
  readRefused: { readonly from: NodeId; readonly context: ReadContext };
}

/** One kind of {@link TraceEvent}. */
export type TraceEventKind = keyof TraceEventFields;

/**
 * One change of what a core knows or has promised, told in the order in which they happen. What merely counts ticks has no
 * event: it follows from the inputs.
 */
export type TraceEvent<K extends TraceEventKind = TraceEventKind> = {
  [P in K]: { readonly kind: P } & TraceEventFields[P];
}[K];

/** Told every event of one core, in the middle of a step: it must neither throw nor call that core. */
export type TraceSink = (event: TraceEvent) => void;
