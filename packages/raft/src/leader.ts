import { assert } from "./assert.ts";
import { isVoteDurable } from "./disk.ts";
import { commandBytes, entryBytes } from "./entry-bytes.ts";
import type { Entry } from "./entry.ts";
import { earlier, indexAfter, logIndex, type LogIndex, type NodeId } from "./ids.ts";
import type { StepResult } from "./input.ts";
import { LeaderLease } from "./leader-lease.ts";
import { LeaderReads, type ReadRequest } from "./leader-reads.ts";
import { hasLease, notePromise } from "./lease.ts";
import {
  isJoint,
  isVoter,
  stepTowards,
  validateChange,
  validateMembership,
  withoutOutgoing,
} from "./membership-rules.ts";
import type { Membership } from "./membership.ts";
import type { AppendEntriesReply, HeartbeatReply, ReadContext } from "./message.ts";
import {
  accepted,
  answerHost,
  becomeFollower,
  becomeLeaderRole,
  commitThrough,
  isApplyBehind,
  isDiskStuck,
  leadingOf,
  membershipOf,
  refused,
  type Leading,
  type NodeState,
} from "./node-state.ts";
import { reached } from "./points.ts";
import type { Progress } from "./progress.ts";
import { quorumValue } from "./quorum.ts";
import {
  askAgain,
  askAgainTicks,
  broadcastHeartbeat,
  isSnapshotUnderWay,
  noteMovement,
  replicate,
  syncPeers,
} from "./replication.ts";
import { traceAppended, tracePeerState } from "./trace-changes.ts";
import type { RoleChangeReason } from "./trace-event.ts";

/** Election timeouts without any movement towards a commit after which a leader gives up although it hears a quorum. */
const stallTimeouts = 3;

const matchOf = (peer: Progress): number => peer.matchIndex;
const contactOf = (peer: Progress): number => peer.contactTick;
const roundOf = (peer: Progress): number => peer.confirmedRound;

/** Adds an entry to the leader's own log; a membership is in force from here on. */
function appendOwn(state: NodeState, leading: Leading, entry: Entry): void {
  assert(entry.term === state.term, "leader_appends_own_term");
  if (leading.uncommittedBytes === 0) leading.movementTick = state.now;
  state.log.append(entry);
  leading.uncommittedBytes += entryBytes(entry);
  leading.isReplicationDue = true;
}

/**
 * Wins the election: probes every peer and begins the term with a no-op, without which nothing of earlier terms could be
 * committed (Raft paper, sections 5.4.2 and 8).
 */
export function becomeLeader(state: NodeState): void {
  const { log } = state;
  assert(isVoteDurable(state), "leader_vote_durable");
  const termStartIndex = indexAfter(log.lastIndex);
  const leading: Leading = {
    termStartIndex,
    peers: new Map(),
    reads: new LeaderReads(),
    uncommittedBytes: log.bytesBetween(state.commitIndex, log.lastIndex),
    round: 0,
    heartbeatElapsed: 0,
    movementTick: state.now,
    isReplicationDue: true,
    transfer: null,
    lease: new LeaderLease(),
  };
  becomeLeaderRole(state, leading);
  syncPeers(state, leading);
  appendOwn(state, leading, { kind: "noop", term: state.term, index: termStartIndex });
  traceAppended(state, termStartIndex);
  broadcastHeartbeat(state, leading);
  countOwnLog(state, leading);
}

/** Nothing of this term is committed yet, so the leader does not know what is committed at all. */
function isTermOpen(state: NodeState, leading: Leading): boolean {
  assert(leading.termStartIndex <= state.log.lastIndex, "term_start_in_log");
  return state.commitIndex >= leading.termStartIndex;
}

/** Appends commands, all or none. A batch above `uncommittedBytesMax` never fits. */
export function propose(state: NodeState, commands: readonly Uint8Array[]): StepResult {
  const { leading, config } = state;
  if (leading === null) return refused(state, "notLeader");
  if (leading.transfer !== null) {
    reached("proposal_refused_transferring");
    return refused(state, "leaderTransferring");
  }
  let bytes = 0;
  for (const command of commands) {
    if (command.length > config.entryBytesMax) return refused(state, "entryTooLarge");
    bytes += commandBytes(command.length);
  }
  if (leading.uncommittedBytes + bytes > config.uncommittedBytesMax) {
    reached("proposal_refused_uncommitted_bytes");
    return refused(state, "uncommittedLimit");
  }
  if (isApplyBehind(state)) {
    reached("proposal_refused_while_apply_is_behind");
    return refused(state, "uncommittedLimit");
  }
  if (commands.length === 0) return accepted;
  const first = indexAfter(state.log.lastIndex);
  const { term } = state;
  for (const [offset, data] of commands.entries()) {
    appendOwn(state, leading, { kind: "command", term, index: indexAfter(first, offset), data });
  }
  assert(state.log.lastIndex === first + commands.length - 1, "proposal_appended_whole");
  traceAppended(state, first);
  return { ok: true, index: first };
}

/**
 * Goes from the membership in force to `target`, in one step where that is safe, else by way of a joint one, which is left
 * as soon as it is committed. Only once an entry of the own term is committed (Raft thesis, bug in single-server changes,
 * 2015), and only while no other membership is uncommitted or joint.
 */
export function proposeMembership(state: NodeState, target: Membership): StepResult {
  const { leading, memberships } = state;
  if (leading === null) return refused(state, "notLeader");
  if (leading.transfer !== null) return refused(state, "leaderTransferring");
  const current = membershipOf(state);
  const isPending = memberships.currentIndex > state.commitIndex || isJoint(current);
  if (!isTermOpen(state, leading)) reached("membership_refused_before_own_commit");
  if (isPending) reached("membership_refused_other_pending");
  if (!isTermOpen(state, leading) || isPending) return refused(state, "membershipPending");
  const next = stepTowards(current, target);
  if (isJoint(target) || validateMembership(target) !== null) {
    return refused(state, "membershipInvalid");
  }
  if (validateChange(current, next) !== null) return refused(state, "membershipInvalid");
  return { ok: true, index: appendMembership(state, leading, next) };
}

/** In force from here on. */
function appendMembership(state: NodeState, leading: Leading, membership: Membership): LogIndex {
  const index = indexAfter(state.log.lastIndex);
  appendOwn(state, leading, { kind: "config", term: state.term, index, membership });
  state.memberships.push(index, membership);
  assert(membershipOf(state) === membership, "membership_in_force_at_once");
  traceAppended(state, index);
  syncPeers(state, leading);
  if (isJoint(membership)) reached("membership_became_joint");
  // Whoever had yet to confirm them may have no say any more, and nobody else may be left to.
  const waiting = leading.reads.count;
  answerReads(state, leading);
  if (leading.reads.count < waiting) reached("read_round_confirmed_by_membership_change");
  return index;
}

/** A joint membership that is committed has done its work, whoever began it (Raft paper, section 6). */
function leaveJoint(state: NodeState, leading: Leading): void {
  const membership = membershipOf(state);
  if (!isJoint(membership) || state.memberships.currentIndex > state.commitIndex) return;
  if (!isTermOpen(state, leading) || leading.transfer !== null) return;
  reached("joint_membership_left");
  if (state.memberships.currentIndex < leading.termStartIndex)
    reached("joint_membership_left_by_later_leader");
  const next = withoutOutgoing(membership);
  assert(validateChange(membership, next) === null, "joint_left_for_its_voters");
  appendMembership(state, leading, next);
}

/** Counts the leader's own log as far as its disk has it, which alone may decide (a lone voter). */
function countOwnLog(state: NodeState, leading: Leading): void {
  const own = leading.peers.get(state.id);
  assert(own !== undefined, "leader_counts_itself");
  own.contactTick = state.now;
  const isNews = own.acknowledge(state.log.persistedIndex, logIndex(0));
  // Nothing can be committed before its own no-op is durable, and a backlog of earlier terms stands before that.
  if (isNews && own.matchIndex < leading.termStartIndex) leading.movementTick = state.now;
  advanceCommit(state, leading);
}

/** The leader's disk made progress. */
export function onLeaderPersisted(state: NodeState): void {
  assert(state.leading === null || state.role === "leader", "leading_on_leader_only");
  if (state.leading !== null) countOwnLog(state, state.leading);
}

/**
 * Commits what a quorum has, but only by counting entries of the own term: older ones can still be overwritten although a
 * majority holds them (Raft paper, section 5.4.2 and figure 8).
 */
function advanceCommit(state: NodeState, leading: Leading): void {
  const agreed = quorumValue(membershipOf(state), leading.peers, matchOf);
  if (agreed <= state.commitIndex) return;
  if (agreed < leading.termStartIndex) {
    reached("commit_waits_for_entry_of_own_term");
    return;
  }
  const index = logIndex(agreed);
  assert(state.log.termAt(index) === state.term, "commit_counted_in_own_term");
  leading.uncommittedBytes -= state.log.bytesBetween(state.commitIndex, index);
  assert(leading.uncommittedBytes >= 0, "uncommitted_bytes_never_negative");
  commitThrough(state, index);
  leading.movementTick = state.now;
  leading.isReplicationDue = true;
  leaveJoint(state, leading);
  leaveIfRemoved(state, leading);
}

/**
 * A leader that is no voter any more goes once that is committed (Raft thesis, section 4.2.2). It tells the others of the
 * commit and has the one that is furthest take over at once.
 */
function leaveIfRemoved(state: NodeState, leading: Leading): void {
  const membership = membershipOf(state);
  if (isVoter(membership, state.id) || state.memberships.currentIndex > state.commitIndex) return;
  reached("removed_leader_leaves");
  assert(state.commitIndex >= leading.termStartIndex, "leaves_after_own_commit");
  replicate(state, leading);
  let successor: Progress | null = null;
  for (const peer of leading.peers.values()) {
    if (!isVoter(membership, peer.id)) continue;
    if (successor === null || peer.matchIndex > successor.matchIndex) successor = peer;
  }
  if (successor !== null) sendTimeoutNow(state, successor.id);
  becomeFollower(state, state.term, null, "removed");
}

function sendTimeoutNow(state: NodeState, to: NodeId): void {
  assert(to !== state.id, "transfer_to_another");
  state.outbox.push({ kind: "timeoutNow", from: state.id, to, term: state.term });
  state.trace?.({ kind: "transferOrdered", to });
}

/** Orders the successor to stand for election once it has the whole log. Raft thesis, section 3.10. */
function finishTransfer(state: NodeState, leading: Leading): void {
  const { transfer } = leading;
  if (transfer === null || transfer.isSent) return;
  const peer = leading.peers.get(transfer.to);
  if (peer === undefined || peer.matchIndex < state.log.lastIndex) {
    reached("transfer_waits_for_successor");
    return;
  }
  assert(peer.matchIndex === state.log.lastIndex, "successor_has_everything");
  transfer.isSent = true;
  leading.lease.giveUp();
  sendTimeoutNow(state, transfer.to);
}

/** Hands leadership over: no more proposals, and the successor is told as soon as it has everything. */
export function transferLeadership(state: NodeState, to: NodeId): StepResult {
  const { leading } = state;
  if (leading === null) return refused(state, "notLeader");
  if (to === state.id || !isVoter(membershipOf(state), to)) return refused(state, "unknownPeer");
  if (leading.transfer !== null) {
    reached("lead_promised_twice");
    return leading.transfer.to === to ? accepted : refused(state, "leaderTransferring");
  }
  const deadlineTick = state.now + state.config.electionTicks;
  assert(leading.peers.has(to), "successor_is_replicated_to");
  leading.transfer = { to, deadlineTick, isSent: false };
  state.trace?.({ kind: "transferBegun", to });
  finishTransfer(state, leading);
  return accepted;
}

function noteContact(state: NodeState, peer: Progress): void {
  assert(peer.contactTick <= state.now, "contact_never_in_future");
  assert(peer.id !== state.id, "contact_with_another");
  peer.contactTick = state.now;
  peer.hasReplied = true;
}

/**
 * The highest index of the leader's log at which it may agree with a peer whose log goes by the hint. Where memory does not
 * reach, so that terms cannot be compared, they agree for certain on what the peer knows to be committed.
 */
function agreeIndex(state: NodeState, reply: AppendEntriesReply): LogIndex {
  const { log } = state;
  const hint = earlier(reply.hintIndex, earlier(reply.rejectedIndex, log.lastIndex));
  assert(hint <= log.lastIndex, "hint_within_log");
  if (hint <= log.baseIndex) {
    reached("agreement_looked_for_before_memory");
    return earlier(reply.matchIndex, hint);
  }
  return log.lastWithTermAtMost(hint, reply.hintTerm);
}

/** No log that is the leader's can be longer than it. What such a peer says of its log counts for nothing. */
function noteClaim(state: NodeState, peer: Progress, matchIndex: LogIndex): void {
  const { lastIndex } = state.log;
  assert(matchIndex > lastIndex, "claim_is_beyond_the_log");
  reached("ack_beyond_own_log");
  if (peer.claimedIndex !== null && matchIndex <= peer.claimedIndex) return;
  peer.claimedIndex = matchIndex;
  state.trace?.({ kind: "peerClaimed", peer: peer.id, matchIndex, lastIndex });
}

/** A peer acknowledged or refused an append. */
export function onAppendEntriesReply(state: NodeState, reply: AppendEntriesReply): void {
  const leading = leadingOf(state);
  const peer = leading.peers.get(reply.from);
  if (peer === undefined) return;
  assert(reply.term === state.term, "reply_of_this_term");
  noteContact(state, peer);
  const { id, state: before } = peer;
  const { rejectedIndex, matchIndex } = reply;
  if (!reply.ok) {
    if (!peer.reject(rejectedIndex, agreeIndex(state, reply))) {
      reached("stale_rejection_ignored");
      return;
    }
    state.trace?.({ kind: "peerRejected", peer: id, rejectedIndex, nextIndex: peer.nextIndex });
    tracePeerState(state, peer, before);
    leading.isReplicationDue = true;
    noteMovement(state, leading, peer);
    return;
  }
  if (matchIndex > state.log.lastIndex) {
    noteClaim(state, peer, matchIndex);
    return;
  }
  leading.isReplicationDue = true;
  const { isFetching, nextIndex: from } = peer;
  const isNews = peer.acknowledge(matchIndex, state.diskFirstIndex);
  tracePeerState(state, peer, before);
  if (isFetching && !peer.isFetching && peer.state === before) {
    reached("fetch_overtaken_by_acknowledgement");
    state.trace?.({ kind: "fetchEnded", peer: id, from, outcome: "overtaken" });
  }
  if (!isNews) return;
  const behind = state.log.lastIndex - matchIndex;
  state.trace?.({ kind: "peerMatched", peer: id, matchIndex, behind });
  noteMovement(state, leading, peer);
  peer.movedTick = state.now;
  advanceCommit(state, leading);
  if (state.leading === leading) finishTransfer(state, leading);
}

/** Answers the reads of every round that a quorum has confirmed. */
function answerReads(state: NodeState, leading: Leading): void {
  const confirmed = quorumValue(membershipOf(state), leading.peers, roundOf);
  assert(confirmed <= leading.round, "confirmed_round_was_sent");
  for (;;) {
    const round = leading.reads.takeConfirmed(confirmed);
    if (round === null) return;
    const { round: number, index, requests } = round;
    const count = requests.length;
    state.trace?.({ kind: "readRoundConfirmed", round: number, index, count });
    for (const request of requests) answerRead(state, request, index);
  }
}

function answerRead(state: NodeState, request: ReadRequest, index: LogIndex | null): void {
  const { id, term } = state;
  const { from: to, context } = request;
  assert(index === null || index <= state.commitIndex, "read_index_is_committed");
  if (to === id) {
    answerHost(state, context, index);
    return;
  }
  state.outbox.push({ kind: "readIndexReply", from: id, to, term, context, index });
  if (index === null) state.trace?.({ kind: "readRefused", from: to, context });
}

/** A peer answered a heartbeat: it still follows, and vouches for every read up to that round. */
export function onHeartbeatReply(state: NodeState, reply: HeartbeatReply): void {
  const leading = leadingOf(state);
  const peer = leading.peers.get(reply.from);
  if (peer === undefined || reply.round > leading.round) return;
  assert(reply.term === state.term, "reply_of_this_term");
  noteContact(state, peer);
  notePromise(state, leading, peer, reply);
  const pauseTicks = askAgainTicks(state, peer);
  if (peer.heartbeatAnswered(state.log.lastIndex, state.now, pauseTicks)) askAgain(state, peer);
  if (reply.round <= peer.confirmedRound) return;
  peer.confirmedRound = reply.round;
  state.trace?.({ kind: "roundAnswered", peer: peer.id, round: reply.round });
  answerReads(state, leading);
}

/** Takes a read in, from this node or from a peer that forwarded it. */
export function takeRead(state: NodeState, from: NodeId, context: ReadContext): void {
  const leading = leadingOf(state);
  assert(state.forwardedReads.length === 0, "leader_forwards_nothing");
  if (!leading.peers.has(from)) return;
  if (leading.reads.add({ from, context })) {
    state.trace?.({ kind: "readTaken", from, context });
    return;
  }
  reached("read_refused_too_many");
  answerRead(state, { from, context }, null);
}

/**
 * Starts a heartbeat round for the reads that have gathered, or answers them at once while a lease lasts. They wait until
 * the term is open: before that, commitIndex may lie behind what an earlier leader acknowledged (Raft thesis, section 6.4).
 */
function flushReads(state: NodeState, leading: Leading): void {
  if (!leading.reads.hasGathered) return;
  if (!isTermOpen(state, leading)) {
    reached("reads_wait_for_commit_of_own_term");
    return;
  }
  if (hasLease(state, leading)) {
    const { commitIndex: index } = state;
    state.trace?.({ kind: "readsOnLease", index, count: leading.reads.gatheredCount });
    for (const request of leading.reads.takeGathered()) answerRead(state, request, index);
    return;
  }
  broadcastHeartbeat(state, leading);
  const { round } = leading;
  const { commitIndex: index } = state;
  const count = leading.reads.gatheredCount;
  leading.reads.beginRound(round, index);
  state.trace?.({ kind: "readRoundBegun", round, index, count });
  const own = leading.peers.get(state.id);
  assert(own !== undefined, "leader_counts_itself");
  own.confirmedRound = leading.round;
  answerReads(state, leading);
}

/** Sends what this turn made due. */
export function flushLeader(state: NodeState): void {
  const { leading } = state;
  if (leading === null) return;
  assert(state.leader === state.id, "leader_is_itself");
  flushReads(state, leading);
  if (leading.isReplicationDue) replicate(state, leading);
}

/** Why a leader must not go on: no quorum, no disk, or no movement; null: it may. */
function lacksGround(state: NodeState, leading: Leading): RoleChangeReason | null {
  const { electionTicks } = state.config;
  const contact = quorumValue(membershipOf(state), leading.peers, contactOf);
  assert(contact <= state.now, "contact_never_in_future");
  if (state.now - contact >= electionTicks) {
    reached("leader_lost_its_quorum");
    return "noQuorum";
  }
  if (isDiskStuck(state)) {
    reached("leader_disk_stuck");
    return "diskStuck";
  }
  if (leading.uncommittedBytes === 0 || isSnapshotUnderWay(state, leading)) {
    leading.movementTick = state.now;
  }
  const isStalled = state.now - leading.movementTick >= stallTimeouts * electionTicks;
  if (isStalled) reached("leader_without_movement");
  return isStalled ? "noMovement" : null;
}

/**
 * One tick of a leader. It steps down without a quorum of contacts (thesis, section 6.2), with a disk that does not answer,
 * and when nothing comes nearer to a commit although a quorum is heard: somebody else may be better placed.
 */
export function tickLeader(state: NodeState): void {
  const leading = leadingOf(state);
  const own = leading.peers.get(state.id);
  assert(own !== undefined, "leader_counts_itself");
  own.contactTick = state.now;
  const lack = lacksGround(state, leading);
  if (lack !== null) {
    becomeFollower(state, state.term, null, lack);
    return;
  }
  if (leading.transfer !== null && state.now >= leading.transfer.deadlineTick) {
    reached("transfer_given_up");
    state.trace?.({ kind: "transferGivenUp", to: leading.transfer.to });
    leading.transfer = null;
    leaveJoint(state, leading);
  }
  for (const peer of leading.peers.values()) {
    if (!peer.expireFetch(state.now - state.config.electionTicks)) continue;
    reached("fetch_expired");
    leading.isReplicationDue = true;
    const { id, nextIndex: from } = peer;
    state.trace?.({ kind: "fetchEnded", peer: id, from, outcome: "expired" });
  }
  leading.heartbeatElapsed += 1;
  if (leading.heartbeatElapsed < state.config.heartbeatTicks) return;
  broadcastHeartbeat(state, leading);
  own.confirmedRound = leading.round;
}
