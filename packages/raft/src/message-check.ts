import { unreachable } from "./assert.ts";
import type { Entry } from "./entry.ts";
import type { Term } from "./ids.ts";
import { validateMembership } from "./membership-rules.ts";
import type { AppendEntries, Message, ReadContext, SnapshotMeta } from "./message.ts";

/** Terms and indexes above this are taken for nonsense: adding to them must stay exact. */
const numberMax = 2 ** 52;
/** So many elections lie between no two nodes: a term further ahead is nonsense, and would be taken over for ever. */
const termsAheadMax = 2 ** 32;

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= numberMax;
}

function isContext(context: ReadContext): boolean {
  return Number.isFinite(context.nonce) && Number.isFinite(context.counter);
}

function isSnapshot(snapshot: SnapshotMeta): boolean {
  return (
    isCount(snapshot.index) &&
    isCount(snapshot.term) &&
    validateMembership(snapshot.membership) === null
  );
}

function isEntry(entry: Entry): boolean {
  return entry.kind !== "config" || validateMembership(entry.membership) === null;
}

/** Entries follow `prevIndex` without a gap, and their terms never fall nor exceed the sender's. */
function isAppend(append: AppendEntries): boolean {
  if (!isCount(append.prevIndex) || !isCount(append.prevTerm) || !isCount(append.commitIndex)) {
    return false;
  }
  let index: number = append.prevIndex;
  let term: number = append.prevTerm;
  for (const entry of append.entries) {
    index += 1;
    if (entry.index !== index || !(entry.term >= term) || !isEntry(entry)) return false;
    term = entry.term;
  }
  return Number.isSafeInteger(term) && term <= append.term;
}

/**
 * True if a message can have come from a core that works: its numbers are in range and agree with one another. Whatever
 * fails is ignored, so that no peer can stop this node with nonsense (etcd-io/raft, f215eff). What makes sense is believed:
 * a peer that passes for the leader and contradicts what this node has takes it out of the ensemble, with all that it has.
 */
export function isPlausible(message: Message, term: Term): boolean {
  if (!isCount(message.term) || message.term === 0) return false;
  if (message.term > term + termsAheadMax) return false;
  if (!Number.isSafeInteger(message.from) || message.from <= 0) return false;
  switch (message.kind) {
    case "requestVote":
      return isCount(message.lastIndex) && isCount(message.lastTerm);
    case "appendEntries":
      return isAppend(message);
    case "appendEntriesReply":
      return (
        isCount(message.matchIndex) &&
        isCount(message.rejectedIndex) &&
        isCount(message.hintIndex) &&
        isCount(message.hintTerm)
      );
    case "heartbeat":
      return isCount(message.round) && isCount(message.commitIndex) && isCount(message.commitTerm);
    case "commitNotice":
      return isCount(message.commitIndex);
    case "heartbeatReply":
      return isCount(message.round) && isCount(message.promiseMs);
    case "readIndexRequest":
      return isContext(message.context);
    case "readIndexReply":
      return isContext(message.context) && (message.index === null || isCount(message.index));
    case "installSnapshot":
      return isSnapshot(message.snapshot) && message.snapshot.term <= message.term;
    case "requestVoteReply":
    case "timeoutNow":
      return true;
    default:
      return unreachable(message);
  }
}
