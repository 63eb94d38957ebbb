import { assert } from "./assert.ts";
import type { CommitConflict } from "./commit-conflict.ts";
import type { RaftConfig, RaftInitialState } from "./config.ts";
import { later, logIndex, term, type LogIndex, type NodeId, type Term } from "./ids.ts";
import type { RejectReason, StepResult } from "./input.ts";
import { initialPromise, type LeaderLease, type LeasePromise } from "./leader-lease.ts";
import type { LeaderReads } from "./leader-reads.ts";
import { RaftLog } from "./log.ts";
import { MembershipHistory } from "./membership-history.ts";
import { validateMembership } from "./membership-rules.ts";
import type { Membership } from "./membership.ts";
import type { Message, ReadContext, SnapshotMeta } from "./message.ts";
import { Prng } from "./prng.ts";
import type { Progress } from "./progress.ts";
import type { FetchWork, ReadState, Role } from "./ready.ts";
import type { RoleChangeReason, TraceSink } from "./trace-event.ts";

/** A disk write that the host has not completed yet. */
export interface WriteInFlight {
  readonly seq: number;
  readonly term: Term;
  readonly votedFor: NodeId | null;
  readonly snapshot: SnapshotMeta | null;
  readonly startTick: number;
}

/** What the disk is known to hold beside the log, and what it is busy with. */
export interface DiskState {
  term: Term;
  votedFor: NodeId | null;
  lastSeq: number;
  inFlight: WriteInFlight | null;
  /** The log was replaced by this snapshot and the disk does not know yet. */
  snapshotDue: SnapshotMeta | null;
}

/** How far this node's log is known to be the current leader's, and what the leader was told. */
export interface Following {
  matchedIndex: LogIndex;
  ackedIndex: LogIndex;
  isAckDue: boolean;
}

/** Leadership on its way to another node. */
export interface Transfer {
  readonly to: NodeId;
  readonly deadlineTick: number;
  isSent: boolean;
}

/** What only a leader keeps. */
export interface Leading {
  /** Index of the no-op that began the term; nothing is committed by counting below it. Raft paper, section 5.4.2. */
  readonly termStartIndex: LogIndex;
  /** Every member, this node included. */
  readonly peers: Map<NodeId, Progress>;
  readonly reads: LeaderReads;
  uncommittedBytes: number;
  round: number;
  heartbeatElapsed: number;
  /** Last tick at which something got nearer to a commit, or nothing was uncommitted. */
  movementTick: number;
  /** Something may have to be sent to some peer. */
  isReplicationDue: boolean;
  transfer: Transfer | null;
  readonly lease: LeaderLease;
}

/** A read that was forwarded to the leader. */
export interface ForwardedRead {
  readonly context: ReadContext;
  readonly deadlineTick: number;
}

/** The one mutable record of a core: everything that it knows and remembers. */
export interface NodeState {
  readonly config: RaftConfig;
  readonly id: NodeId;
  /** Entries that it acknowledged are not in its log any more: it takes no part any more. */
  hasLostEntries: boolean;
  /** Where a leader contradicts what is committed here, which it kept: it takes no part any more. Null: nowhere. */
  conflict: CommitConflict | null;
  readonly random: Prng;
  readonly log: RaftLog;
  readonly memberships: MembershipHistory;
  readonly disk: DiskState;
  readonly following: Following;
  /** Null: nobody listens. Whoever tells it something writes `trace?.(…)`, so that then not even the event is built. */
  trace: TraceSink | null;
  /** Ticks since the start. */
  now: number;
  /** The host's clock as last told, for leases. */
  nowMs: number;
  readonly promise: LeasePromise;
  role: Role;
  term: Term;
  votedFor: NodeId | null;
  leader: NodeId | null;
  commitIndex: LogIndex;
  /** Highest index handed out to be applied. */
  handedIndex: LogIndex;
  appliedIndex: LogIndex;
  /** The newest durable image, offered to peers whose entries are gone. */
  image: SnapshotMeta;
  /** First index that the disk may still hold; what lies before is gone for certain. */
  diskFirstIndex: LogIndex;
  electionElapsed: number;
  electionTimeout: number;
  /** The link to the leader broke: it may be gone. */
  isLeaderSuspected: boolean;
  /** When to ask around because of that. */
  suspicionTick: number;
  readonly votes: Map<NodeId, boolean>;
  /** The election was ordered by the leader. */
  isTransferCampaign: boolean;
  /** The own vote is durable and the requests have left. */
  areVotesRequested: boolean;
  /** A vote that was given and waits for the disk. */
  grantDue: NodeId | null;
  leading: Leading | null;
  forwardedReads: ForwardedRead[];
  outbox: Message[];
  fetches: FetchWork[];
  readStates: ReadState[];
  /** A snapshot that the host has to install. */
  installDue: SnapshotMeta | null;
}

/** The answer to an input that needs none. */
export const accepted: StepResult = { ok: true, index: null };

/** A refusal; names the leader so that the host can redirect. */
export function refused(state: NodeState, reason: RejectReason): StepResult {
  return { ok: false, reason, leader: state.leader };
}

/** The membership in force. */
export function membershipOf(state: NodeState): Membership {
  return state.memberships.current;
}

/** More is committed and not applied yet than may be: nothing is to be added to it. Ends by itself, whatever others say. */
export function isApplyBehind({ log, config, appliedIndex, commitIndex }: NodeState): boolean {
  assert(appliedIndex <= commitIndex, "applied_within_commit");
  const from = later(appliedIndex, log.baseIndex);
  return from < commitIndex && log.bytesBetween(from, commitIndex) > config.uncommittedBytesMax;
}

/** Starts the wait for a leader anew. Raft paper, section 5.2: randomized timeouts. */
export function resetElectionTimer(state: NodeState): void {
  const { electionTicks } = state.config;
  state.electionElapsed = 0;
  state.electionTimeout = electionTicks + state.random.below(electionTicks);
}

/** Builds the record from what the disk held. */
export function createNodeState(
  config: RaftConfig,
  initial: RaftInitialState,
  trace: TraceSink | null,
): NodeState {
  const { snapshot, hardState, entries } = initial;
  assert(validateMembership(snapshot.membership) === null, "initial_membership_valid");
  assert(initial.firstIndex >= 1, "initial_first_index");
  assert(initial.firstIndex <= snapshot.index + 1, "initial_log_reaches_image");
  const log = new RaftLog(snapshot.index, snapshot.term, entries);
  assert(hardState.term >= log.lastTerm, "initial_term_covers_log");
  const memberships = new MembershipHistory(snapshot.index, snapshot.membership);
  for (const entry of entries) {
    if (entry.kind === "config") memberships.push(entry.index, entry.membership);
  }
  const state: NodeState = {
    config,
    id: config.id,
    hasLostEntries: false,
    conflict: null,
    random: new Prng(config.seed, config.id),
    log,
    memberships,
    disk: {
      term: hardState.term,
      votedFor: hardState.votedFor,
      lastSeq: 0,
      inFlight: null,
      snapshotDue: null,
    },
    following: { matchedIndex: logIndex(0), ackedIndex: logIndex(0), isAckDue: false },
    trace,
    now: 0,
    nowMs: 0,
    promise: initialPromise(config.lease !== null),
    role: "follower",
    term: hardState.term,
    votedFor: hardState.votedFor,
    leader: null,
    commitIndex: snapshot.index,
    handedIndex: snapshot.index,
    appliedIndex: snapshot.index,
    image: snapshot,
    diskFirstIndex: logIndex(initial.firstIndex),
    electionElapsed: 0,
    electionTimeout: 0,
    isLeaderSuspected: false,
    suspicionTick: 0,
    votes: new Map(),
    isTransferCampaign: false,
    areVotesRequested: false,
    grantDue: null,
    leading: null,
    forwardedReads: [],
    outbox: [],
    fetches: [],
    readStates: [],
    installDue: null,
  };
  resetElectionTimer(state);
  return state;
}

/** A disk write has been outstanding for so long that nothing may be promised on its behalf (hashicorp/raft, issue 503). */
export function isDiskStuck(state: NodeState): boolean {
  const { inFlight } = state.disk;
  return inFlight !== null && state.now - inFlight.startTick >= state.config.electionTicks;
}

/** Votes, stands, acknowledges and commits: what it holds is not known to differ from what others count on. */
export function takesPart(state: NodeState): boolean {
  return !state.hasLostEntries && state.conflict === null;
}

/**
 * May start an election: a voter whose log and disk can be trusted. One whose removal is not known to be committed may too:
 * nobody else might have a log good enough to be elected (Raft thesis, section 4.2.2).
 */
export function mayCampaign(state: NodeState): boolean {
  return takesPart(state) && state.memberships.hasVoter(state.id) && !isDiskStuck(state);
}

/** Answers a read of the host; null: it is to ask again. */
export function answerHost(state: NodeState, context: ReadContext, index: LogIndex | null): void {
  state.readStates.push({ context, index });
  state.trace?.({ kind: "readAnswered", context, index });
}

/** Answers every read that this node waits for or answers for others with "ask again". */
export function refuseReads(state: NodeState): void {
  for (const { context } of state.forwardedReads) answerHost(state, context, null);
  state.forwardedReads = [];
  if (state.leading === null) return;
  for (const { from, context } of state.leading.reads.drain()) {
    if (from === state.id) answerHost(state, context, null);
    else {
      const { id, term } = state;
      state.outbox.push({ kind: "readIndexReply", from: id, to: from, term, context, index: null });
      state.trace?.({ kind: "readRefused", from, context });
    }
  }
  assert(state.leading.reads.count === 0, "refused_reads_are_all");
}

/** Enters a later term, in which nobody leads and nobody has this node's vote yet. */
function enterTerm(state: NodeState, newTerm: Term): void {
  assert(newTerm > state.term, "term_rises");
  state.term = newTerm;
  state.votedFor = null;
  state.grantDue = null;
  state.leader = null;
  state.trace?.({ kind: "termEntered", term: newTerm });
}

function takeRole(
  state: NodeState,
  role: Role,
  leader: NodeId | null,
  reason: RoleChangeReason,
): void {
  const { role: from, leader: leaderBefore, term } = state;
  assert(leader === null || leader === state.id || role === "follower", "followers_have_leaders");
  state.role = role;
  state.leader = leader;
  const isNew = role !== from || role === "preCandidate";
  if (isNew) state.trace?.({ kind: "roleChanged", from, to: role, term, reason });
  if (leader !== leaderBefore) state.trace?.({ kind: "leaderChanged", leader, term, reason });
}

/** Forgets whom this node followed, led or asked; what was promised stays. */
function leaveRole(state: NodeState): void {
  refuseReads(state);
  state.leading = null;
  state.fetches = [];
  state.votes.clear();
  state.isTransferCampaign = false;
  state.areVotesRequested = false;
  state.isLeaderSuspected = false;
  state.following.matchedIndex = logIndex(0);
  state.following.ackedIndex = logIndex(0);
  state.following.isAckDue = false;
}

/**
 * Follows `leader` in `newTerm`, or nobody yet. A vote given in the same term stays given: two candidates of one term
 * could win otherwise (microsoft/CCF, issue 8094).
 */
export function becomeFollower(
  state: NodeState,
  newTerm: Term,
  leader: NodeId | null,
  reason: RoleChangeReason,
): void {
  assert(newTerm >= state.term, "follower_term_never_back");
  assert(leader !== state.id, "follower_of_another");
  const wasFollower = state.role === "follower";
  if (wasFollower && newTerm === state.term && leader === state.leader) return;
  leaveRole(state);
  if (newTerm > state.term) enterTerm(state, newTerm);
  takeRole(state, "follower", leader, reason);
  // A follower that only learns of a term goes on waiting: requests that deserve no vote must not keep it quiet.
  if (!wasFollower) resetElectionTimer(state);
}

/** Asks whether it would be elected, without disturbing anybody. Raft thesis, section 9.6. */
export function becomePreCandidate(state: NodeState, reason: RoleChangeReason): void {
  assert(state.role !== "leader", "precandidate_is_no_leader");
  assert(mayCampaign(state), "precandidate_may_campaign");
  leaveRole(state);
  takeRole(state, "preCandidate", null, reason);
  resetElectionTimer(state);
}

/** Stands for election in the next term, with its own vote. Raft paper, section 5.2. */
export function becomeCandidate(state: NodeState, isTransfer: boolean): void {
  assert(state.role !== "leader", "candidate_is_no_leader");
  assert(mayCampaign(state), "candidate_may_campaign");
  leaveRole(state);
  enterTerm(state, term(state.term + 1));
  takeRole(state, "candidate", null, isTransfer ? "transferOrdered" : "preVoteWon");
  state.votedFor = state.id;
  state.trace?.({ kind: "voteGiven", term: state.term, to: state.id });
  state.isTransferCampaign = isTransfer;
  resetElectionTimer(state);
}

/** Leads its term; the caller fills `leading` in. Raft paper, section 5.2. */
export function becomeLeaderRole(state: NodeState, leading: Leading): void {
  assert(state.role === "candidate", "leader_was_candidate");
  assert(state.votedFor === state.id, "leader_voted_for_itself");
  leaveRole(state);
  takeRole(state, "leader", state.id, "electionWon");
  state.leading = leading;
  state.electionElapsed = 0;
}

/** The leader's record; only a leader may ask. */
export function leadingOf(state: NodeState): Leading {
  assert(state.leading !== null, "leading_on_leader_only");
  return state.leading;
}

/** Raises what is known to be committed. */
export function commitThrough(state: NodeState, index: LogIndex): void {
  assert(index <= state.log.lastIndex, "commit_within_log");
  if (index <= state.commitIndex) return;
  assert(state.leader !== null, "commit_known_from_a_leader");
  state.commitIndex = index;
  state.trace?.({ kind: "commitAdvanced", index, isCounted: state.role === "leader" });
  if (!state.memberships.settle(index)) return;
  state.trace?.({ kind: "membershipSettled", index: state.memberships.settledIndex });
}
