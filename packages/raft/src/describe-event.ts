import { describeMembership } from "./describe.ts";
import type { ReadContext } from "./message.ts";
import type { RoleChangeReason, TraceEvent, TraceEventKind } from "./trace-event.ts";

const REASONS: Readonly<Record<RoleChangeReason, string>> = {
  electionTimeout: "no leader was heard for an election timeout",
  leaderSuspected: "the link to the leader broke",
  campaignOrdered: "it was told to campaign",
  transferOrdered: "the leader hands over",
  preVoteWon: "a majority would vote for it",
  preVoteLost: "no majority would vote for it",
  electionWon: "a majority voted for it",
  electionLost: "a majority refused",
  mayNotCampaign: "it may not stand any more",
  gaveWay: "another one is as good",
  higherTerm: "a later term",
  leaderHeard: "the leader was heard",
  noQuorum: "no majority answers",
  diskStuck: "its disk does not answer",
  noMovement: "nothing comes nearer to a commit",
  removed: "it is no voter any more",
};

type Describers = { readonly [K in TraceEventKind]: (event: TraceEvent<K>) => string };

function range(from: number, to: number): string {
  return from === to ? `${from}` : `${from}..${to}`;
}

function read({ nonce, counter }: ReadContext): string {
  return `read ${nonce}:${counter}`;
}

const counted = (count: number, what: string): string =>
  `${count} ${what}${count === 1 ? "" : "s"}`;

const DESCRIBERS: Describers = {
  started: (event) =>
    `node ${event.id}, term ${event.term}, vote ${event.votedFor ?? "none"}, log up to ` +
    `${event.lastTerm}/${event.lastIndex} on an image at ${event.imageTerm}/${event.imageIndex}` +
    `, ${describeMembership(event.membership)}`,
  termEntered: ({ term }) => `term ${term}`,
  roleChanged: ({ from, to, term, reason }) =>
    `${from} -> ${to} in term ${term}: ${REASONS[reason]}`,
  leaderChanged: ({ leader, term, reason }) =>
    `leader of term ${term}: ${leader ?? "unknown"} (${REASONS[reason]})`,
  leaderSuspected: ({ leader }) => `the link to leader ${leader} broke`,
  suspicionEnded: ({ leader }) => `leader ${leader} is heard again`,
  voteGiven: ({ term, to }) => `vote of term ${term} for ${to}, not durable yet`,
  voteSent: ({ term, to }) => `durable vote of term ${term} to ${to}`,
  votesRequested: ({ term, preVote }) =>
    `asks for ${preVote ? "pre-votes" : "votes"} of term ${term}`,
  voteCounted: ({ term, from, preVote, granted }) =>
    `${preVote ? "pre-vote" : "vote"} of ${from} for term ${term}: ${granted ? "yes" : "no"}`,
  entriesAppended: ({ term, from, to }) => `${range(from, to)} of term ${term}`,
  logTruncated: ({ from }) => `from ${from} on`,
  lossFound: ({ acknowledgedIndex, lastIndex }) =>
    `acknowledged entries up to ${acknowledgedIndex} and has them only up to ${lastIndex}`,
  conflictFound: ({ index, leader }) =>
    `leader ${leader} has something else than what is committed here up to ${index}`,
  logReset: ({ index, term }) => `stands on a snapshot at ${term}/${index}`,
  memoryTrimmed: ({ firstIndex }) => `begins with ${firstIndex}`,
  writeBegun: ({ seq, term, votedFor, from, to, snapshotIndex }) =>
    `write ${seq}: term ${term}, vote ${votedFor ?? "none"}` +
    (snapshotIndex === null ? "" : `, behind ${snapshotIndex}`) +
    (to < from ? "" : `, entries ${range(from, to)}`),
  writeDurable: ({ seq, term, votedFor, persistedIndex }) =>
    `write ${seq}: term ${term}, vote ${votedFor ?? "none"}, log up to ${persistedIndex}`,
  commitAdvanced: ({ index, isCounted }) =>
    `up to ${index}, ${isCounted ? "as counted" : "as the leader says"}`,
  entriesHandedOut: ({ from, to }) => range(from, to),
  snapshotHandedOut: ({ index }) => `at ${index}`,
  applied: ({ index }) => `up to ${index}`,
  imageOffered: ({ index, term }) => `at ${term}/${index}`,
  membershipInForce: ({ index, membership }) => `of ${index}: ${describeMembership(membership)}`,
  membershipFellBack: ({ index, membership }) =>
    `to the one of ${index}: ${describeMembership(membership)}`,
  membershipSettled: ({ index }) => `the one of ${index}`,
  logMatched: ({ index }) => `up to ${index}`,
  acknowledged: ({ to, matchIndex }) => `up to ${matchIndex}, to ${to}`,
  appendRejected: ({ to, rejectedIndex, hintIndex }) =>
    `what follows ${rejectedIndex}, to ${to}; agrees up to ${hintIndex} at best`,
  peerAdded: ({ peer, nextIndex }) => `peer ${peer}, from ${nextIndex} on`,
  peerRemoved: ({ peer }) => `peer ${peer}`,
  peerStateChanged: ({ peer, from, to, nextIndex }) =>
    `peer ${peer}: ${from} -> ${to}, next ${nextIndex}`,
  peerMatched: ({ peer, matchIndex, behind }) =>
    `peer ${peer} up to ${matchIndex}, ${behind === 0 ? "which is all" : `${behind} behind`}`,
  peerClaimed: ({ peer, matchIndex, lastIndex }) =>
    `peer ${peer} up to ${matchIndex}, behind the end of the log at ${lastIndex}`,
  peerRejected: ({ peer, rejectedIndex, nextIndex }) =>
    `peer ${peer} what follows ${rejectedIndex}; next ${nextIndex}`,
  appendSent: ({ peer, prevIndex, lastIndex }) =>
    `to ${peer}: ${lastIndex === prevIndex ? `nothing after ${prevIndex}` : range(prevIndex + 1, lastIndex)}`,
  commitNoticeSent: ({ peer, commitIndex }) => `to ${peer}: up to ${commitIndex}`,
  fetchBegun: ({ peer, from, to }) => `${range(from, to)} for ${peer}`,
  fetchEnded: ({ peer, from, outcome }) => `from ${from} on for ${peer}: ${outcome}`,
  diskForgot: ({ firstIndex }) => `what was before ${firstIndex}`,
  snapshotOrdered: ({ peer, index }) => `at ${index} for ${peer}`,
  snapshotEnded: ({ peer, isComplete }) => `for ${peer}: ${isComplete ? "complete" : "broken off"}`,
  transferBegun: ({ to }) => `to ${to}`,
  transferOrdered: ({ to }) => `${to} is to stand at once`,
  transferGivenUp: ({ to }) => `to ${to}`,
  heartbeatsSent: ({ round }) => `round ${round}`,
  roundAnswered: ({ peer, round }) => `round ${round} by ${peer}`,
  readTaken: ({ from, context }) => `${read(context)} of ${from}`,
  readRoundBegun: ({ round, index, count }) =>
    `${counted(count, "read")} at ${index} with round ${round}`,
  readRoundConfirmed: ({ round, index, count }) =>
    `${counted(count, "read")} at ${index} with round ${round}`,
  readsOnLease: ({ index, count }) => `${counted(count, "read")} at ${index}`,
  promised: ({ to, untilMs }) => `to ${to} until ${untilMs} ms`,
  peerPromised: ({ peer, fromMs }) => `by ${peer} from ${fromMs} ms on`,
  readForwarded: ({ leader, context }) => `${read(context)} to ${leader}`,
  readAnswered: ({ context, index }) =>
    `${read(context)} ${index === null ? "refused" : `at ${index}`}`,
  readRefused: ({ from, context }) => `${read(context)} of ${from}`,
};

/** Every kind of event, in the order in which they are documented. */
export const traceEventKinds: readonly string[] = Object.keys(DESCRIBERS);

/** An event in one line, its kind first: for traces. */
export function describeTraceEvent<K extends TraceEventKind>(event: TraceEvent<K>): string {
  const describe: (event: TraceEvent<K>) => string = DESCRIBERS[event.kind];
  return `${event.kind} ${describe(event)}`;
}
