import { assert } from "./assert.ts";
import { entryBytes } from "./entry-bytes.ts";
import type { Entry } from "./entry.ts";
import { earlier, indexAfter, logIndex, term, type LogIndex } from "./ids.ts";
import { Inflights } from "./inflights.ts";
import type { RaftInput } from "./input.ts";
import { noteLeaseRound } from "./lease.ts";
import { isMember, isVoter, memberIds } from "./membership-rules.ts";
import { leadingOf, membershipOf, type Leading, type NodeState } from "./node-state.ts";
import { reached } from "./points.ts";
import { Progress } from "./progress.ts";
import { tracePeerState } from "./trace-changes.ts";

const noEntries: readonly Entry[] = Object.freeze([]);

/** Makes the leader's list of peers equal to the membership in force; newcomers are probed from the end of the log. */
export function syncPeers(state: NodeState, leading: Leading): void {
  const { config, log } = state;
  const membership = membershipOf(state);
  for (const id of leading.peers.keys()) {
    if (id === state.id || isMember(membership, id)) continue;
    leading.peers.delete(id);
    state.trace?.({ kind: "peerRemoved", peer: id });
  }
  for (const id of [...memberIds(membership), state.id]) {
    if (leading.peers.has(id)) continue;
    const inflights = new Inflights(config.inflightEntriesMax, config.inflightBytesMax);
    const nextIndex = indexAfter(log.lastIndex);
    leading.peers.set(id, new Progress(id, { nextIndex, tick: state.now, inflights }));
    if (id !== state.id) state.trace?.({ kind: "peerAdded", peer: id, nextIndex });
  }
  leading.isReplicationDue = true;
  assert(leading.peers.has(state.id), "leader_counts_itself");
}

/** A peer got nearer to having everything. Only a voter's progress, of either half of a joint membership, leads to a commit. */
export function noteMovement(state: NodeState, leading: Leading, peer: Progress): void {
  assert(peer.id !== state.id, "movement_of_another");
  if (isVoter(membershipOf(state), peer.id)) leading.movementTick = state.now;
}

/** To a voter, and likely to arrive: a learner's does not bring anything nearer to a commit. */
export function isSnapshotUnderWay(state: NodeState, leading: Leading): boolean {
  const membership = membershipOf(state);
  for (const peer of leading.peers.values()) {
    if (peer.isSnapshotPromising && isVoter(membership, peer.id)) return true;
  }
  return false;
}

/** Tells every peer that this node leads, and which round this is. */
export function broadcastHeartbeat(state: NodeState, leading: Leading): void {
  assert(state.leading === leading, "leading_on_leader_only");
  leading.round += 1;
  leading.heartbeatElapsed = 0;
  state.trace?.({ kind: "heartbeatsSent", round: leading.round });
  noteLeaseRound(state, leading);
  for (const peer of leading.peers.values()) {
    if (peer.id === state.id) continue;
    // A heartbeat does not check the log, so it may commit only what is known to be the same there.
    const commitIndex = earlier(peer.matchIndex, state.commitIndex);
    const commitTerm = state.log.termAt(commitIndex);
    state.outbox.push({
      kind: "heartbeat",
      from: state.id,
      to: peer.id,
      term: state.term,
      commitIndex,
      commitTerm: commitTerm === "compacted" ? term(0) : commitTerm,
      round: leading.round,
    });
  }
}

function sendAppend(
  state: NodeState,
  peer: Progress,
  prev: { readonly index: LogIndex; readonly term: Entry["term"] },
  entries: readonly Entry[],
): void {
  assert(prev.index >= peer.matchIndex, "append_from_match_on");
  state.outbox.push({
    kind: "appendEntries",
    from: state.id,
    to: peer.id,
    term: state.term,
    prevIndex: prev.index,
    prevTerm: prev.term,
    entries,
    commitIndex: state.commitIndex,
  });
  peer.sentCommit = state.commitIndex;
  if (peer.inflights.messages === 0) peer.movedTick = state.now;
  state.trace?.({
    kind: "appendSent",
    peer: peer.id,
    prevIndex: prev.index,
    lastIndex: indexAfter(prev.index, entries.length),
  });
}

function sendCommitNotice(state: NodeState, peer: Progress): void {
  const { id: from, term, commitIndex } = state;
  assert(peer.sentCommit < commitIndex, "commit_notice_is_news");
  peer.sentCommit = commitIndex;
  state.outbox.push({ kind: "commitNotice", from, to: peer.id, term, commitIndex });
  state.trace?.({ kind: "commitNoticeSent", peer: peer.id, commitIndex });
}

/**
 * Memory no longer reaches back to what the peer needs: ask the disk for it, or, where the disk has forgotten it too, order
 * a snapshot, but only for a peer that has shown a sign of life.
 */
function sendFromBehind(state: NodeState, peer: Progress): void {
  const { config, image, log } = state;
  const from = peer.nextIndex;
  assert(from <= log.baseIndex, "fetch_before_memory");
  if (from >= state.diskFirstIndex) {
    const last = indexAfter(
      from,
      Math.min(config.appendEntriesMax, peer.inflights.entriesLeft) - 1,
    );
    const bytesMax = Math.min(config.appendBytesMax, peer.inflights.bytesLeft);
    if (last < from || bytesMax === 0) return;
    reached("entries_fetched_from_disk");
    peer.beginFetch(state.now);
    const to = earlier(log.baseIndex, last);
    state.fetches.push({ peer: peer.id, from, to, bytesMax });
    state.trace?.({ kind: "fetchBegun", peer: peer.id, from, to });
    return;
  }
  if (!peer.hasReplied || image.index < from || image.index <= peer.matchIndex) return;
  const before = peer.state;
  reached("peer_needs_snapshot");
  peer.becomeSnapshot(image.index);
  const { id, term } = state;
  state.outbox.push({ kind: "installSnapshot", from: id, to: peer.id, term, snapshot: image });
  tracePeerState(state, peer, before);
  state.trace?.({ kind: "snapshotOrdered", peer: peer.id, index: image.index });
}

/** The last index of the next append to `peer`; below `peer.nextIndex` when it carries nothing or the window has no room. */
function appendEnd(state: NodeState, peer: Progress): LogIndex {
  const { config, log } = state;
  const from = peer.nextIndex;
  assert(from > log.baseIndex, "append_from_memory");
  const { inflights } = peer;
  const before = logIndex(from - 1);
  if (peer.isProbeRepeated) return before;
  const count = Math.min(config.appendEntriesMax, inflights.entriesLeft);
  if (from > log.lastIndex || count === 0) return before;
  const byCount = earlier(log.lastIndex, indexAfter(from, count - 1));
  const bytesMax = Math.min(config.appendBytesMax, inflights.bytesLeft);
  const end = log.lastWithin(from, byCount, bytesMax);
  const isOverfull = end === from && log.bytesBetween(before, end) > bytesMax;
  if (isOverfull) reached("entry_larger_than_the_window");
  return isOverfull && inflights.messages > 0 ? before : end;
}

/** Sends one append if there is a reason to. True if more may follow at once. */
function replicateOnce(state: NodeState, peer: Progress): boolean {
  const { log } = state;
  const from = peer.nextIndex;
  if (from <= log.baseIndex) {
    sendFromBehind(state, peer);
    return false;
  }
  const before = logIndex(from - 1);
  const end = appendEnd(state, peer);
  assert(from <= log.lastIndex + 1, "progress_next_within_log");
  const isProbe = peer.state === "probe";
  if (end === before && !isProbe) {
    if (peer.sentCommit < state.commitIndex) sendCommitNotice(state, peer);
    return false;
  }
  sendFrom(state, peer, end);
  return !isProbe && end > before && end < log.lastIndex;
}

function sendFrom(state: NodeState, peer: Progress, end: LogIndex): void {
  const { log } = state;
  const from = peer.nextIndex;
  const before = logIndex(from - 1);
  const prevTerm = log.termAt(before);
  assert(prevTerm !== "compacted", "append_anchor_in_memory");
  const count = end - before;
  const entries = count === 0 ? noEntries : log.slice(from, end);
  sendAppend(state, peer, { index: before, term: prevTerm }, entries);
  peer.sent(count, count === 0 ? 0 : log.bytesBetween(before, end), state.now);
}

/** Sends every peer what it lacks, as far as its window allows; nothing to who lacks nothing. */
export function replicate(state: NodeState, leading: Leading): void {
  leading.isReplicationDue = false;
  for (const peer of leading.peers.values()) {
    if (peer.id === state.id) continue;
    while (peer.mayAppend && replicateOnce(state, peer)) {
      assert(peer.inflights.messages > 0, "pipeline_advances");
    }
  }
}

/**
 * Ticks after which a peer that does not answer is asked again: for it about as often as heartbeats come by themselves.
 * What has to be read from disk first, and is no empty append, leaves once in an election timeout.
 */
export function askAgainTicks({ config, log }: NodeState, peer: Progress): number {
  assert(config.electionTicks >= 2 * config.heartbeatTicks, "config_election_two_heartbeats");
  const isReadFirst = peer.state === "probe" && peer.nextIndex <= log.baseIndex;
  return isReadFirst ? config.electionTicks : Math.ceil(config.heartbeatTicks / 2);
}

/**
 * A peer answered a heartbeat and seems to have lost something: an empty append brings it to light, cheaply, should it
 * only be slow. Where memory does not reach back to the anchor of one, and nothing has moved for an election timeout,
 * probing from what is acknowledged does.
 */
export function askAgain(state: NodeState, peer: Progress): void {
  assert(peer.id !== state.id, "asks_another");
  if (!peer.mayAppend) return;
  const isAnchored = peer.nextIndex > state.log.baseIndex;
  if (peer.state === "replicate" && isAnchored) {
    reached("peer_asked_again_after_heartbeat");
    sendFrom(state, peer, logIndex(peer.nextIndex - 1));
    return;
  }
  if (peer.state === "replicate") {
    if (state.now - peer.movedTick < state.config.electionTicks) return;
    reached("peer_probed_after_silence");
    peer.becomeProbe();
    tracePeerState(state, peer, "replicate");
  }
  leadingOf(state).isReplicationDue = true;
}

type Fetched = Extract<RaftInput, { readonly kind: "fetched" }>;

/** True if the disk's answer is what was asked for: without a gap, and below what memory holds. */
function isSound(state: NodeState, fetched: Fetched, entries: readonly Entry[]): boolean {
  const { log } = state;
  const last = entries[entries.length - 1];
  if (last === undefined || fetched.from + entries.length - 1 !== last.index) return false;
  if (last.index > log.lastIndex) return false;
  let previousTerm = fetched.prevTerm;
  for (const [offset, entry] of entries.entries()) {
    if (entry.index !== fetched.from + offset || entry.term < previousTerm) return false;
    previousTerm = entry.term;
  }
  const known = log.termAt(last.index);
  return known === "compacted" || known === last.term;
}

/**
 * The disk's answer for a lagging peer. Null entries mean that the disk has forgotten them. An answer that does not fit any
 * more, or does not hold together, is dropped; the fetch is repeated after an election timeout.
 */
export function onFetched(state: NodeState, fetched: Fetched): void {
  const { leading } = state;
  const peer = leading?.peers.get(fetched.peer);
  if (leading === null || peer === undefined) return;
  if (!peer.isFetching || peer.nextIndex !== fetched.from) {
    reached("fetched_entries_not_wanted_any_more");
    return;
  }
  const { entries, prevTerm } = fetched;
  if (entries === null) {
    reached("fetched_entries_were_compacted");
    const after = indexAfter(fetched.from);
    peer.endFetch();
    state.trace?.({ kind: "fetchEnded", peer: peer.id, from: fetched.from, outcome: "gone" });
    if (after > state.diskFirstIndex) {
      state.diskFirstIndex = after;
      state.trace?.({ kind: "diskForgot", firstIndex: after });
    }
    leading.isReplicationDue = true;
    return;
  }
  if (!isSound(state, fetched, entries) || entries.length > peer.inflights.entriesLeft) return;
  peer.endFetch();
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  const isFitting = bytes <= peer.inflights.bytesLeft || peer.inflights.messages === 0;
  const outcome = isFitting ? "sent" : "noRoom";
  state.trace?.({ kind: "fetchEnded", peer: peer.id, from: fetched.from, outcome });
  if (!isFitting) {
    reached("fetched_entries_found_no_room");
    return;
  }
  assert(entries.length > 0, "fetched_something");
  sendAppend(state, peer, { index: logIndex(fetched.from - 1), term: prevTerm }, entries);
  peer.sent(entries.length, bytes, state.now);
  leading.isReplicationDue = true;
}
