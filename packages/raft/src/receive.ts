import { assert, unreachable } from "./assert.ts";
import { onRequestVoteReply, startElection } from "./candidate.ts";
import {
  onAppendEntries,
  onCommitNotice,
  onHeartbeat,
  onInstallSnapshot,
  onReadIndexReply,
} from "./follower.ts";
import { logIndex, term } from "./ids.ts";
import { onAppendEntriesReply, onHeartbeatReply, takeRead } from "./leader.ts";
import { isMember, isVoter } from "./membership-rules.ts";
import { isPlausible } from "./message-check.ts";
import type { Message, ReadIndexRequest, RequestVoteReply, TimeoutNow } from "./message.ts";
import { becomeFollower, mayCampaign, membershipOf, type NodeState } from "./node-state.ts";
import { reached } from "./points.ts";
import { onRequestVote } from "./voting.ts";

const noIndex = logIndex(0);
const noTerm = term(0);

/**
 * A leader of an older term still sends. It has to learn of the newer one, or a node that is ahead in terms could never
 * join it: neither would listen to the other (etcd-io/etcd, issue 8498).
 */
function correctOldLeader(state: NodeState, message: Message): void {
  reached("old_leader_corrected");
  assert(message.term < state.term, "old_leader_is_older");
  const { id: from, term } = state;
  const { from: to } = message;
  if (message.kind === "heartbeat") {
    state.outbox.push({ kind: "heartbeatReply", from, to, term, round: 0, promiseMs: 0 });
    return;
  }
  state.outbox.push({
    kind: "appendEntriesReply",
    from,
    to,
    term,
    ok: false,
    matchIndex: noIndex,
    rejectedIndex: noIndex,
    hintIndex: noIndex,
    hintTerm: noTerm,
  });
}

/** True if the message deserves to be handled although its term is over. */
function passOlderTerm(state: NodeState, message: Message): boolean {
  switch (message.kind) {
    case "appendEntries":
    case "heartbeat":
    case "commitNotice":
    case "installSnapshot":
      correctOldLeader(state, message);
      return false;
    case "requestVote":
      return true;
    case "requestVoteReply":
      // A pre-vote's refusal from a node that is behind still counts as one (etcd-io/raft, d4471b2).
      return message.preVote && !message.granted;
    case "appendEntriesReply":
    case "heartbeatReply":
    case "readIndexRequest":
    case "readIndexReply":
    case "timeoutNow":
      return false;
    default:
      return unreachable(message);
  }
}

/** Takes a newer term over where the sender may impose it. True if the message is to be handled then. */
function passNewerTerm(state: NodeState, message: Message): boolean {
  assert(message.term > state.term, "newer_term_is_newer");
  switch (message.kind) {
    case "requestVote":
      return true;
    case "requestVoteReply":
      // The term of a granted pre-vote is the one that would be campaigned for: nobody is in it yet.
      if (message.preVote && message.granted) return true;
      break;
    case "appendEntries":
    case "heartbeat":
    case "commitNotice":
    case "installSnapshot":
      becomeFollower(state, message.term, message.from, "leaderHeard");
      return true;
    case "appendEntriesReply":
    case "heartbeatReply":
    case "readIndexRequest":
    case "readIndexReply":
    case "timeoutNow":
      break;
    default:
      return unreachable(message);
  }
  // Who is no member has no say: a removed node must not depose anybody (Raft thesis, section 4.2.3).
  if (!isMember(membershipOf(state), message.from)) {
    reached("stranger_imposes_no_term");
    return false;
  }
  reached("newer_term_of_answer_taken_over");
  becomeFollower(state, message.term, null, "higherTerm");
  return true;
}

/** The leader hands over to this node: it stands at once, without asking around. Raft thesis, section 3.10. */
function onTimeoutNow(state: NodeState, order: TimeoutNow): void {
  if (state.role !== "follower" || order.from !== state.leader) {
    reached("order_to_lead_came_late");
    return;
  }
  if (mayCampaign(state)) startElection(state, true);
  else reached("ordered_to_lead_but_may_not");
}

function onReadIndexRequest(state: NodeState, request: ReadIndexRequest): void {
  if (!isMember(membershipOf(state), request.from)) {
    reached("read_of_a_stranger");
    return;
  }
  if (state.role === "leader") {
    takeRead(state, request.from, request.context);
    return;
  }
  reached("read_came_to_no_leader");
  const { id, term } = state;
  const { from: to, context } = request;
  state.outbox.push({ kind: "readIndexReply", from: id, to, term, context, index: null });
}

function onVoteReply(state: NodeState, reply: RequestVoteReply): void {
  if (isVoter(membershipOf(state), reply.from)) onRequestVoteReply(state, reply);
}

function handle(state: NodeState, message: Message): void {
  switch (message.kind) {
    case "requestVote":
      return onRequestVote(state, message);
    case "requestVoteReply":
      return onVoteReply(state, message);
    case "appendEntries":
      return onAppendEntries(state, message);
    case "appendEntriesReply":
      return state.role === "leader" ? onAppendEntriesReply(state, message) : undefined;
    case "heartbeat":
      return onHeartbeat(state, message);
    case "commitNotice":
      return onCommitNotice(state, message);
    case "heartbeatReply":
      return state.role === "leader" ? onHeartbeatReply(state, message) : undefined;
    case "readIndexRequest":
      return onReadIndexRequest(state, message);
    case "readIndexReply":
      return onReadIndexReply(state, message);
    case "installSnapshot":
      return onInstallSnapshot(state, message);
    case "timeoutNow":
      return onTimeoutNow(state, message);
    default:
      return unreachable(message);
  }
}

/**
 * The gate that every message passes: nonsense, strays and own echoes are ignored; older terms are answered where that
 * helps; newer terms are taken over (Raft paper, section 5.1).
 */
export function receive(state: NodeState, message: Message): void {
  const isOurs = message.to === state.id && message.from !== state.id;
  if (!isOurs || !isPlausible(message, state.term)) {
    reached("stray_message_dropped");
    return;
  }
  if (message.term < state.term) {
    if (!passOlderTerm(state, message)) return;
  } else if (message.term > state.term) {
    if (!passNewerTerm(state, message)) return;
  }
  handle(state, message);
}
