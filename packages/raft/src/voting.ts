import { assert } from "./assert.ts";
import { isVoteDurable } from "./disk.ts";
import { isPromised } from "./lease.ts";
import type { RequestVote } from "./message.ts";
import { becomeFollower, resetElectionTimer, takesPart, type NodeState } from "./node-state.ts";
import { reached } from "./points.ts";

/** True if a vote of the current term may go to `candidate`, as far as earlier promises are concerned. */
function isVoteFree(state: NodeState, candidate: RequestVote["from"]): boolean {
  assert(state.grantDue === null || state.grantDue === state.votedFor, "grant_is_the_vote");
  if (state.votedFor !== null) return state.votedFor === candidate;
  return state.leader === null;
}

/**
 * Leader stickiness: who hears from a leader helps nobody else into office (Raft thesis, section 4.2.3). Lifted for a
 * hand-over, for the leader itself (it asks because it leads no more), and when the link to the leader broke. What was
 * promised to a leader with a lease is lifted by a hand-over only, which ends the lease first.
 */
function isSticky(state: NodeState, request: RequestVote): boolean {
  if (!request.transfer && isPromised(state, request.from)) {
    reached("vote_refused_for_promise");
    return true;
  }
  if (state.leader === null || request.transfer || request.from === state.leader) return false;
  if (state.role === "leader") {
    reached("vote_asked_of_the_leader");
    return true;
  }
  return !state.isLeaderSuspected && state.electionElapsed < state.config.electionTicks;
}

/** A refusal carries this node's own term, so that a candidate from an older term learns of it. */
function refuse(state: NodeState, request: RequestVote): void {
  assert(request.from !== state.id, "vote_asked_by_another");
  state.outbox.push({
    kind: "requestVoteReply",
    from: state.id,
    to: request.from,
    term: state.term,
    preVote: request.preVote,
    granted: false,
  });
}

/**
 * Gives way to a pre-candidate that is at least as good, so that two followers who lost their leader at the same moment do
 * not split the votes.
 */
function giveWay(state: NodeState, request: RequestVote): void {
  assert(request.preVote, "gives_way_before_any_vote");
  if (state.isLeaderSuspected) state.suspicionTick = Number.MAX_SAFE_INTEGER;
  if (state.role !== "preCandidate") return;
  const isEqual =
    request.lastTerm === state.log.lastTerm && request.lastIndex === state.log.lastIndex;
  if (isEqual && request.from < state.id) {
    reached("equal_pre_candidate_stood_firm");
    return;
  }
  reached("pre_candidate_gave_way");
  becomeFollower(state, state.term, null, "gaveWay");
}

/** Would this node vote for the sender in that term? Promises nothing. Raft thesis, section 9.6. */
function answerPreVote(state: NodeState, request: RequestVote): void {
  assert(request.preVote, "prevote_request");
  const isTermFree =
    request.term > state.term || (request.term === state.term && isVoteFree(state, request.from));
  const isGranted =
    takesPart(state) &&
    isTermFree &&
    !isSticky(state, request) &&
    state.log.isUpToDate(request.lastIndex, request.lastTerm);
  if (!isGranted) {
    if (!state.log.isUpToDate(request.lastIndex, request.lastTerm)) {
      reached("pre_vote_refused_log_behind");
    }
    refuse(state, request);
    return;
  }
  // The grant carries the campaign's term: with the voter's own it would look stale or from the future.
  state.outbox.push({
    kind: "requestVoteReply",
    from: state.id,
    to: request.from,
    term: request.term,
    preVote: true,
    granted: true,
  });
  giveWay(state, request);
}

/** Votes at most once in a term, for a log at least as good as its own. Raft paper, sections 5.2 and 5.4.1. */
function answerVote(state: NodeState, request: RequestVote): void {
  if (request.term < state.term) {
    reached("vote_refused_older_term");
    refuse(state, request);
    return;
  }
  if (request.term > state.term) {
    if (isSticky(state, request)) {
      reached("vote_ignored_leader_is_heard");
      return;
    }
    becomeFollower(state, request.term, null, "higherTerm");
  }
  const isGranted =
    takesPart(state) &&
    isVoteFree(state, request.from) &&
    (request.transfer || !isPromised(state, request.from)) &&
    state.log.isUpToDate(request.lastIndex, request.lastTerm);
  if (!isGranted) {
    if (!state.log.isUpToDate(request.lastIndex, request.lastTerm)) {
      reached("vote_refused_log_behind");
    }
    if (!isVoteFree(state, request.from)) reached("vote_refused_given_to_another");
    if (!takesPart(state)) reached("vote_refused_by_who_takes_no_part");
    refuse(state, request);
    return;
  }
  assert(state.role !== "leader", "vote_not_given_by_leader");
  assert(state.term === request.term, "vote_of_the_current_term");
  if (state.votedFor === request.from) reached("vote_given_again");
  state.votedFor = request.from;
  state.grantDue = request.from;
  state.trace?.({ kind: "voteGiven", term: state.term, to: request.from });
  resetElectionTimer(state);
}

/** A vote or a pre-vote is asked for, by a member or by somebody this node has not heard of yet. */
export function onRequestVote(state: NodeState, request: RequestVote): void {
  if (request.preVote) answerPreVote(state, request);
  else answerVote(state, request);
}

/** Sends the vote that was given, once it is durable. */
export function flushGrant(state: NodeState): void {
  const { grantDue } = state;
  if (grantDue === null) return;
  if (!isVoteDurable(state)) {
    reached("vote_waits_for_the_disk");
    return;
  }
  assert(state.votedFor === grantDue, "grant_is_the_vote");
  state.grantDue = null;
  state.outbox.push({
    kind: "requestVoteReply",
    from: state.id,
    to: grantDue,
    term: state.term,
    preVote: false,
    granted: true,
  });
  state.trace?.({ kind: "voteSent", term: state.term, to: grantDue });
}
