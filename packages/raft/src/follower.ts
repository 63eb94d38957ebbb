import { assert } from "./assert.ts";
import { isTermDurable } from "./disk.ts";
import { earlier, later, logIndex, term, type LogIndex, type NodeId, type Term } from "./ids.ts";
import { promiseLeader } from "./lease.ts";
import type {
  AppendEntries,
  CommitNotice,
  Heartbeat,
  InstallSnapshot,
  ReadIndexReply,
} from "./message.ts";
import {
  answerHost,
  becomeFollower,
  commitThrough,
  isApplyBehind,
  refuseReads,
  takesPart,
  type NodeState,
} from "./node-state.ts";
import { reached } from "./points.ts";
import { traceAppended } from "./trace-changes.ts";

/** Ticks after which a broken link to the leader makes a follower ask around: below this, drawn at random. */
const suspicionTicks = 3;

/** For the fields of a reply that say nothing. */
const noIndex: LogIndex = logIndex(0);
const noTerm: Term = term(0);

/** Forwarded reads that a follower waits for at most; more are refused. */
const forwardedReadsMax = 1024;

/** Takes the sender of a leader's message as leader of the current term. False for a second one: not for us to settle. */
export function followLeader(state: NodeState, leader: NodeId): boolean {
  if (state.role === "leader") return false;
  if (state.leader !== null && state.leader !== leader) return false;
  becomeFollower(state, state.term, leader, "leaderHeard");
  assert(state.leader === leader, "follower_has_leader");
  state.electionElapsed = 0;
  if (state.isLeaderSuspected) state.trace?.({ kind: "suspicionEnded", leader });
  state.isLeaderSuspected = false;
  return true;
}

/** Says where the logs could agree at best, so that the leader skips what cannot. Raft paper, end of section 5.3. */
function rejectAppend(state: NodeState, append: AppendEntries): void {
  reached("append_rejected");
  const { log } = state;
  const within = earlier(append.prevIndex, log.lastIndex);
  const candidate = log.lastWithTermAtMost(within, append.prevTerm);
  const hintIndex = candidate > state.commitIndex ? candidate : state.commitIndex;
  const hintTerm = log.termAt(hintIndex);
  assert(hintTerm !== "compacted", "hint_in_memory");
  assert(hintIndex >= state.commitIndex, "committed_never_in_doubt");
  state.outbox.push({
    kind: "appendEntriesReply",
    from: state.id,
    to: append.from,
    term: state.term,
    ok: false,
    matchIndex: state.commitIndex,
    rejectedIndex: append.prevIndex,
    hintIndex,
    hintTerm,
  });
  const { prevIndex: rejectedIndex, from: to } = append;
  state.trace?.({ kind: "appendRejected", to, rejectedIndex, hintIndex });
}

/** Drops `index` and what follows; an older membership may come back into force. */
function truncateFrom(state: NodeState, index: LogIndex): void {
  assert(index > state.commitIndex, "committed_never_truncated");
  assert(index > state.following.matchedIndex, "matched_never_truncated");
  state.log.truncateFrom(index);
  state.trace?.({ kind: "logTruncated", from: index });
  const { memberships } = state;
  if (!memberships.truncateFrom(index)) return;
  reached("membership_fell_back_by_truncation");
  const { currentIndex, current: membership } = memberships;
  state.trace?.({ kind: "membershipFellBack", index: currentIndex, membership });
}

/** Makes the log equal to the leader's from the first difference on; what is equal already stays untouched. */
function storeEntries(state: NodeState, append: AppendEntries): void {
  const { log } = state;
  let appendedFrom: LogIndex | null = null;
  for (const entry of append.entries) {
    if (entry.index <= state.commitIndex) {
      reached("append_repeats_committed_entries");
      continue;
    }
    if (entry.index <= log.lastIndex) {
      if (log.matches(entry.index, entry.term)) {
        reached("append_repeats_entries");
        continue;
      }
      truncateFrom(state, entry.index);
    }
    assert(entry.term <= state.term, "log_terms_within_term");
    log.append(entry);
    appendedFrom ??= entry.index;
    if (entry.kind === "config") state.memberships.push(entry.index, entry.membership);
  }
  if (appendedFrom !== null) traceAppended(state, appendedFrom);
  assert(log.lastIndex >= append.prevIndex + append.entries.length, "append_stored_whole");
}

/** True if memory is sure to hold something else at `index`, which is committed here, than the entry of `entryTerm`. */
function isContradicted(state: NodeState, index: LogIndex, entryTerm: Term): boolean {
  const { log, commitIndex } = state;
  return index >= log.baseIndex && index <= commitIndex && !log.matches(index, entryTerm);
}

/**
 * The leader has something else at `index` than what is committed here: a quorum of those who acknowledged it has lost it,
 * by disks that lie or were replaced, or the leader is not what it says. Nothing of it is taken over and nothing dropped:
 * what is here may be all that is left.
 */
function noteConflict(state: NodeState, leader: NodeId, index: LogIndex, theirTerm: Term): void {
  const ownTerm = state.log.termAt(index);
  assert(ownTerm !== "compacted" && ownTerm !== theirTerm, "conflict_in_memory");
  assert(state.role === "follower", "follower_is_contradicted");
  reached("committed_entry_contradicted");
  state.conflict = { index, term: ownTerm, leader, leaderTerm: state.term, theirTerm };
  state.trace?.({ kind: "conflictFound", index, leader });
  refuseReads(state);
}

/**
 * What is committed here is in every leader's log (Raft paper, section 5.4). Compares the two as far as memory reaches back,
 * and notes where they differ; true if they do.
 */
function contradicts(state: NodeState, append: AppendEntries): boolean {
  const { from, prevIndex, prevTerm, entries } = append;
  if (isContradicted(state, prevIndex, prevTerm)) {
    noteConflict(state, from, prevIndex, prevTerm);
    return true;
  }
  for (const { index, term: entryTerm } of entries) {
    if (index > state.commitIndex) return false;
    if (!isContradicted(state, index, entryTerm)) continue;
    noteConflict(state, from, index, entryTerm);
    return true;
  }
  return false;
}

/**
 * Entries of the leader. One that starts before memory is taken as starting there: what is not in memory any more is
 * committed, and cannot be compared.
 */
export function onAppendEntries(state: NodeState, append: AppendEntries): void {
  if (!followLeader(state, append.from) || !takesPart(state)) return;
  if (contradicts(state, append)) return;
  if (append.entries.length > 0 && isApplyBehind(state)) {
    // As if they had been lost on the way: the leader's window stays full, and it asks again.
    reached("entries_left_while_apply_is_behind");
    return;
  }
  const { log, following } = state;
  const isAnchored =
    append.prevIndex < log.baseIndex || log.matches(append.prevIndex, append.prevTerm);
  if (!isAnchored) {
    rejectAppend(state, append);
    return;
  }
  storeEntries(state, append);
  const end = logIndex(append.prevIndex + append.entries.length);
  raiseMatched(state, later(end, log.baseIndex));
  assert(following.matchedIndex <= log.lastIndex, "matched_within_log");
  commitThrough(state, earlier(append.commitIndex, following.matchedIndex));
  following.isAckDue = true;
}

/** Up to `index` this node's log is the leader's. */
function raiseMatched(state: NodeState, index: LogIndex): void {
  if (index <= state.following.matchedIndex) return;
  assert(state.role === "follower", "matched_of_follower_only");
  state.following.matchedIndex = index;
  state.trace?.({ kind: "logMatched", index });
}

/** The leader's commit moved: what this node has found to be the leader's is committed that far. */
export function onCommitNotice(state: NodeState, notice: CommitNotice): void {
  if (!followLeader(state, notice.from) || !takesPart(state)) return;
  const { matchedIndex } = state.following;
  assert(matchedIndex <= state.log.lastIndex, "matched_within_log");
  commitThrough(state, earlier(notice.commitIndex, matchedIndex));
}

/**
 * A leader's heartbeats say no more than what this node acknowledged to it in this term, also before a restart. Where its log
 * ends before that, or has something else there, its disk or whoever copied its files back has lost what others count on.
 */
function noteLoss(state: NodeState, acknowledgedIndex: LogIndex): void {
  const { lastIndex } = state.log;
  assert(acknowledgedIndex > state.commitIndex, "loss_is_behind_the_commit");
  if (state.hasLostEntries) return;
  reached("acknowledged_entries_lost");
  state.hasLostEntries = true;
  state.trace?.({ kind: "lossFound", acknowledgedIndex, lastIndex });
}

/** As far as can be told: its log has that entry. `entryTerm` 0: whatever it is. */
function has({ log }: NodeState, index: LogIndex, entryTerm: Term): boolean {
  return entryTerm === 0 ? index <= log.lastIndex : log.matches(index, entryTerm);
}

/** A sign of life. What it says to be committed was acknowledged by this node, so it holds for the log as it is. */
export function onHeartbeat(state: NodeState, heartbeat: Heartbeat): void {
  if (!followLeader(state, heartbeat.from)) return;
  assert(heartbeat.term === state.term, "heartbeat_of_this_term");
  const { commitIndex, commitTerm } = heartbeat;
  const isNews = commitIndex > state.commitIndex;
  if (isNews && !has(state, commitIndex, commitTerm)) noteLoss(state, commitIndex);
  if (!takesPart(state)) return;
  if (commitTerm > 0) commitThrough(state, commitIndex);
  state.outbox.push({
    kind: "heartbeatReply",
    from: state.id,
    to: heartbeat.from,
    term: state.term,
    round: heartbeat.round,
    promiseMs: promiseLeader(state, heartbeat.from),
  });
}

/** Starts the log anew behind the snapshot. Its membership replaces whatever was appended (openraft, issue 1808). */
function resetToSnapshot(state: NodeState, install: InstallSnapshot): void {
  const { snapshot } = install;
  assert(snapshot.index > state.commitIndex, "snapshot_goes_forward");
  assert(state.role === "follower", "snapshot_replaces_log_of_follower");
  reached("log_replaced_by_snapshot");
  if (state.memberships.currentIndex > state.commitIndex)
    reached("uncommitted_membership_dropped_by_snapshot");
  state.log.reset(snapshot.index, snapshot.term);
  state.memberships.reset(snapshot.index, snapshot.membership);
  state.commitIndex = snapshot.index;
  state.handedIndex = snapshot.index;
  state.image = snapshot;
  state.diskFirstIndex = logIndex(snapshot.index + 1);
  state.disk.snapshotDue = snapshot;
  state.installDue = null;
  state.following.ackedIndex = noIndex;
  const { index, term, membership } = snapshot;
  state.trace?.({ kind: "logReset", index, term });
  state.trace?.({ kind: "membershipInForce", index, membership });
}

/**
 * A snapshot whose bytes this host holds (Raft paper, section 7).
 *
 * - It ends at or before `commitIndex`: nothing to do, unless it contradicts what is committed there.
 * - The log holds its last entry: the log goes on and is committed that far; the entries are applied as usual and the
 *   bytes are not needed.
 * - Otherwise it replaces the log. The host is told to install it once the disk knows that the log starts behind it, and
 *   the leader is told after that.
 */
export function onInstallSnapshot(state: NodeState, install: InstallSnapshot): void {
  if (!followLeader(state, install.from) || !takesPart(state)) return;
  const { snapshot } = install;
  if (isContradicted(state, snapshot.index, snapshot.term)) {
    noteConflict(state, install.from, snapshot.index, snapshot.term);
    return;
  }
  state.following.isAckDue = true;
  if (snapshot.index > state.commitIndex) {
    if (state.log.matches(snapshot.index, snapshot.term)) {
      reached("snapshot_end_was_in_the_log");
      raiseMatched(state, snapshot.index);
      commitThrough(state, snapshot.index);
    } else {
      resetToSnapshot(state, install);
    }
  } else {
    reached("snapshot_older_than_commit");
  }
  assert(state.commitIndex >= snapshot.index, "snapshot_is_committed");
  raiseMatched(state, later(snapshot.index, state.log.baseIndex));
}

/**
 * Acknowledges what is both durable here and known to be the leader's, once the term is durable too: a node that forgot
 * the term could let an older leader overwrite what it acknowledged. At most one acknowledgement a turn.
 */
export function flushAck(state: NodeState): void {
  const { following, leader } = state;
  if (!following.isAckDue || leader === null || state.role !== "follower") return;
  if (!takesPart(state)) return;
  if (!isTermDurable(state)) {
    reached("ack_waits_for_durable_term");
    return;
  }
  const matchIndex = earlier(state.log.persistedIndex, following.matchedIndex);
  const isComplete = matchIndex === following.matchedIndex;
  if (!isComplete && matchIndex <= following.ackedIndex) return;
  assert(matchIndex >= following.ackedIndex, "ack_never_back");
  following.isAckDue = !isComplete;
  following.ackedIndex = matchIndex;
  state.trace?.({ kind: "acknowledged", to: leader, matchIndex });
  state.outbox.push({
    kind: "appendEntriesReply",
    from: state.id,
    to: leader,
    term: state.term,
    ok: true,
    matchIndex,
    rejectedIndex: noIndex,
    hintIndex: noIndex,
    hintTerm: noTerm,
  });
}

/** The link to the leader broke: ask around soon, not only after a whole election timeout. */
export function suspectLeader(state: NodeState): void {
  if (state.isLeaderSuspected) return;
  const { leader } = state;
  assert(state.role === "follower" && leader !== null, "leader_to_suspect");
  reached("leader_suspected");
  state.isLeaderSuspected = true;
  state.trace?.({ kind: "leaderSuspected", leader });
  state.suspicionTick = state.now + 1 + state.random.below(suspicionTicks);
}

/** Passes a read on to the leader, to be answered by it or refused after an election timeout. */
export function forwardRead(state: NodeState, context: ReadIndexReply["context"]): void {
  const { leader } = state;
  if (leader === null || !takesPart(state) || state.forwardedReads.length >= forwardedReadsMax) {
    reached("read_forwarded_to_nobody");
    answerHost(state, context, null);
    return;
  }
  assert(leader !== state.id, "leader_forwards_nothing");
  const deadlineTick = state.now + state.config.electionTicks;
  state.forwardedReads.push({ context, deadlineTick });
  const { id: from, term } = state;
  state.outbox.push({ kind: "readIndexRequest", from, to: leader, term, context });
  state.trace?.({ kind: "readForwarded", leader, context });
}

/** The leader's answer; one that nobody waits for any more is dropped. */
export function onReadIndexReply(state: NodeState, reply: ReadIndexReply): void {
  if (reply.from !== state.leader) {
    reached("read_answered_by_former_leader");
    return;
  }
  const { nonce, counter } = reply.context;
  const at = state.forwardedReads.findIndex(
    ({ context }) => context.nonce === nonce && context.counter === counter,
  );
  if (at === -1) {
    reached("read_answered_too_late");
    return;
  }
  assert(state.role === "follower", "reads_forwarded_by_follower");
  state.forwardedReads.splice(at, 1);
  answerHost(state, reply.context, reply.index);
}

/** Refuses forwarded reads that the leader did not answer in time. */
export function expireForwardedReads(state: NodeState): void {
  assert(state.role !== "leader", "leader_forwards_nothing");
  for (;;) {
    const first = state.forwardedReads[0];
    if (first === undefined || first.deadlineTick > state.now) return;
    reached("forwarded_read_expired");
    state.forwardedReads.shift();
    answerHost(state, first.context, null);
  }
}
