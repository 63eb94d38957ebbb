import { assert } from "./assert.ts";
import { entryBytes } from "./entry-bytes.ts";
import { indexAfter } from "./ids.ts";
import type { Leading, NodeState } from "./node-state.ts";

function checkIndexes(state: NodeState): void {
  const { log, commitIndex, handedIndex, appliedIndex } = state;
  assert(log.baseIndex <= commitIndex, "memory_starts_below_commit");
  assert(commitIndex <= log.lastIndex, "commit_within_log");
  assert(handedIndex <= commitIndex, "handed_within_commit");
  assert(appliedIndex <= handedIndex, "applied_within_handed");
  assert(log.persistedIndex <= log.lastIndex, "persisted_within_log");
  const isReset = state.disk.snapshotDue !== null;
  assert(isReset || log.baseIndex <= log.persistedIndex, "memory_starts_below_persisted");
  assert(isReset || handedIndex <= log.persistedIndex, "handed_is_durable");
  assert(state.image.index <= handedIndex, "image_within_handed");
}

function checkLog(state: NodeState): void {
  const { log } = state;
  let previousTerm = log.baseTerm;
  let bytes = 0;
  for (const entry of log.slice(log.firstIndex, log.lastIndex)) {
    assert(entry.term >= previousTerm, "log_terms_rise");
    previousTerm = entry.term;
    bytes += entryBytes(entry);
  }
  assert(previousTerm <= state.term, "log_terms_within_term");
  assert(bytes === log.memoryBytes, "log_bytes_counted");
}

function checkRole(state: NodeState): void {
  const { role, leader, id } = state;
  assert((role === "leader") === (state.leading !== null), "leading_on_leader_only");
  assert((leader === id) === (role === "leader"), "leader_is_itself");
  const isCampaigning = role === "candidate" || role === "preCandidate";
  assert(!isCampaigning || leader === null, "candidate_without_leader");
  assert(isCampaigning || state.votes.size === 0, "votes_of_campaign_only");
  if (role === "leader" || role === "candidate") {
    assert(state.votedFor === id, "candidate_votes_for_itself");
  }
  assert(state.grantDue === null || state.grantDue === state.votedFor, "grant_is_the_vote");
  assert(state.role !== "leader" || state.forwardedReads.length === 0, "leader_forwards_nothing");
}

function checkDisk(state: NodeState): void {
  const { disk } = state;
  assert(disk.term <= state.term, "durable_term_within_term");
  if (disk.term === state.term && disk.votedFor !== null) {
    assert(disk.votedFor === state.votedFor, "durable_vote_is_the_vote");
  }
  if (state.areVotesRequested) assert(disk.votedFor === state.id, "requests_after_durable_vote");
  if (state.role === "leader") assert(disk.term === state.term, "leader_term_durable");
}

function checkMembership(state: NodeState): void {
  const { memberships } = state;
  assert(memberships.currentIndex <= state.log.lastIndex, "membership_within_log");
  // Anybody else may not have heard yet of what is committed.
  const isTermOpen = state.leading !== null && state.commitIndex >= state.leading.termStartIndex;
  if (!isTermOpen) return;
  assert(memberships.countAfter(state.commitIndex) <= 1, "one_membership_uncommitted");
}

function checkFollowing(state: NodeState): void {
  const { following, log } = state;
  assert(following.matchedIndex <= log.lastIndex, "matched_within_log");
  assert(following.ackedIndex <= following.matchedIndex, "acked_within_matched");
  assert(following.ackedIndex <= log.persistedIndex, "acked_is_durable");
  if (state.role !== "follower") assert(following.matchedIndex === 0, "matched_of_follower_only");
}

function checkLeading(state: NodeState, leading: Leading): void {
  const { config, log } = state;
  assert(
    leading.uncommittedBytes === log.bytesBetween(state.commitIndex, log.lastIndex),
    "uncommitted_bytes_counted",
  );
  for (const peer of leading.peers.values()) {
    const { inflights } = peer;
    assert(peer.nextIndex > peer.matchIndex, "progress_next_above_match");
    assert(peer.nextIndex <= indexAfter(log.lastIndex), "progress_next_within_log");
    assert(inflights.entries <= config.inflightEntriesMax, "inflights_entries_bound");
    const isWithin = inflights.bytes <= config.inflightBytesMax || inflights.messages === 1;
    assert(isWithin, "inflights_bytes_bound");
    assert(peer.state === "replicate" || inflights.messages === 0, "inflights_of_pipeline_only");
    assert(peer.confirmedRound <= leading.round, "confirmed_round_was_sent");
  }
}

/** Checks everything that must always hold of one core. Costs as much as the log in memory is long. */
export function checkInvariants(state: NodeState): void {
  checkIndexes(state);
  checkLog(state);
  checkRole(state);
  checkDisk(state);
  checkMembership(state);
  checkFollowing(state);
  if (state.leading !== null) checkLeading(state, state.leading);
}
