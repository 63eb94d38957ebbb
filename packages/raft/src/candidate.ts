import { assert } from "./assert.ts";
import { isVoteDurable } from "./disk.ts";
import { termAfter, type NodeId, type Term } from "./ids.ts";
import { becomeLeader } from "./leader.ts";
import { memberIds, isVoter } from "./membership-rules.ts";
import type { RequestVoteReply } from "./message.ts";
import {
  becomeCandidate,
  becomeFollower,
  becomePreCandidate,
  mayCampaign,
  membershipOf,
  type NodeState,
} from "./node-state.ts";
import { reached } from "./points.ts";
import { voteOutcome } from "./quorum.ts";
import type { RoleChangeReason } from "./trace-event.ts";

/** The term that it stands for, or would stand for. */
function campaignTerm(state: NodeState): Term {
  return state.role === "preCandidate" ? termAfter(state.term) : state.term;
}

/**
 * A first answer stands, unless it is a pre-vote's refusal and a grant follows: a refusal does not say of which campaign it
 * is, so it may have come late from an earlier one; a grant does.
 */
function countVote(state: NodeState, from: NodeId, granted: boolean): void {
  const isOutdone = state.role === "preCandidate" && state.votes.get(from) === false && granted;
  if (state.votes.has(from) && !isOutdone) {
    reached("vote_answered_twice");
    return;
  }
  assert(state.role === "preCandidate" || state.role === "candidate", "votes_of_campaign_only");
  state.votes.set(from, granted);
  const preVote = state.role === "preCandidate";
  state.trace?.({ kind: "voteCounted", term: campaignTerm(state), from, preVote, granted });
}

/** Asks every other voter, for the current term or (pre-vote) for the one after it. */
function requestVotes(state: NodeState, preVote: boolean): void {
  const membership = membershipOf(state);
  const asking = preVote ? "preCandidate" : "candidate";
  assert(state.role === asking, "votes_asked_by_campaigner");
  for (const to of memberIds(membership)) {
    if (to === state.id || !isVoter(membership, to)) continue;
    state.outbox.push({
      kind: "requestVote",
      from: state.id,
      to,
      term: preVote ? termAfter(state.term) : state.term,
      preVote,
      transfer: state.isTransferCampaign,
      lastIndex: state.log.lastIndex,
      lastTerm: state.log.lastTerm,
    });
  }
  state.trace?.({ kind: "votesRequested", term: campaignTerm(state), preVote });
}

/** Goes on, gives up or waits, as the votes say. */
function judge(state: NodeState): void {
  const outcome = voteOutcome(membershipOf(state), state.votes);
  assert(state.votes.get(state.id) === true, "campaigner_has_own_vote");
  if (outcome === "pending") return;
  if (outcome === "won" && state.role === "candidate") {
    becomeLeader(state);
  } else if (outcome === "won" && mayCampaign(state)) {
    startElection(state, false);
  } else {
    if (outcome === "won") reached("pre_vote_won_but_may_not_stand");
    if (state.role === "candidate") reached("election_lost");
    const lost = state.role === "candidate" ? "electionLost" : "preVoteLost";
    becomeFollower(state, state.term, null, outcome === "won" ? "mayNotCampaign" : lost);
  }
}

/** Asks around before it disturbs anybody. */
export function startPreVote(state: NodeState, reason: RoleChangeReason): void {
  becomePreCandidate(state, reason);
  assert(state.votes.size === 0, "campaign_starts_without_votes");
  countVote(state, state.id, true);
  requestVotes(state, true);
  judge(state);
}

/** Stands for election; nothing leaves before the own vote is durable. `isTransfer`: the leader ordered it. */
export function startElection(state: NodeState, isTransfer: boolean): void {
  if (isTransfer) reached("election_ordered_by_leader");
  becomeCandidate(state, isTransfer);
  assert(!isVoteDurable(state), "candidate_vote_is_new");
}

/** Nobody has been asked yet, so nobody is late. */
export function awaitsOwnVote(state: NodeState): boolean {
  assert(state.role === "candidate" || !state.areVotesRequested, "votes_requested_by_candidate");
  return state.role === "candidate" && !state.areVotesRequested;
}

/** The disk made progress: a candidate's own vote may have become durable, and only now does it count. */
export function onCandidatePersisted(state: NodeState): void {
  if (state.role !== "candidate" || state.areVotesRequested || !isVoteDurable(state)) return;
  assert(state.votedFor === state.id, "candidate_voted_for_itself");
  state.areVotesRequested = true;
  // The voters' disks may take as long as its own did: slow ones would never elect anybody otherwise.
  state.electionElapsed = 0;
  countVote(state, state.id, true);
  requestVotes(state, false);
  judge(state);
}

/** A vote, or the answer to a pre-vote. The term gate has dealt with foreign terms. */
export function onRequestVoteReply(state: NodeState, reply: RequestVoteReply): void {
  const awaited = reply.preVote ? "preCandidate" : "candidate";
  if (state.role !== awaited) {
    reached("vote_came_too_late");
    return;
  }
  if (reply.granted && reply.term !== campaignTerm(state)) {
    reached("pre_vote_of_another_campaign");
    return;
  }
  if (!reply.preVote && !state.areVotesRequested) return;
  assert(isVoter(membershipOf(state), reply.from), "votes_of_voters_only");
  countVote(state, reply.from, reply.granted);
  judge(state);
}
