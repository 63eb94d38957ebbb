import { unreachable } from "./assert.ts";
import type { Entry } from "./entry.ts";
import type { Membership } from "./membership.ts";
import type { Message } from "./message.ts";

/** Entries that a rendering shows one by one; longer lists are shown as a range. */
const shownEntriesMax = 8;
/** Bytes of a command that a rendering shows. */
const shownBytesMax = 16;

/** Printable ASCII as text, everything else as hex: stable and readable in traces. */
function describeBytes(data: Uint8Array): string {
  const shown = data.subarray(0, shownBytesMax);
  const isText = shown.every((byte) => byte >= 0x20 && byte < 0x7f);
  const codes = Array.from(shown);
  const text = isText
    ? `"${String.fromCharCode(...codes)}"`
    : `0x${codes.map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  return data.length > shownBytesMax ? `${text}…${data.length}B` : text;
}

/** A membership in one line: voters, voters on their way out, learners. */
export function describeMembership(membership: Membership): string {
  const voters = `voters ${membership.voters.join(",")}`;
  const outgoing = membership.outgoingVoters.length;
  const joint = outgoing === 0 ? "" : ` outgoing ${membership.outgoingVoters.join(",")}`;
  const learners = membership.learners.length;
  return learners === 0
    ? voters + joint
    : `${voters}${joint} learners ${membership.learners.join(",")}`;
}

/** An entry in one line: `term/index` and what it holds. */
export function describeEntry(entry: Entry): string {
  const id = `${entry.term}/${entry.index}`;
  switch (entry.kind) {
    case "noop":
      return `${id} noop`;
    case "command":
      return `${id} ${describeBytes(entry.data)}`;
    case "config":
      return `${id} config(${describeMembership(entry.membership)})`;
    default:
      return unreachable(entry);
  }
}

/** A list of entries in one line; long lists as their first and last. */
export function describeEntries(entries: readonly Entry[]): string {
  if (entries.length <= shownEntriesMax) return `[${entries.map(describeEntry).join(", ")}]`;
  const first = entries[0];
  const last = entries[entries.length - 1];
  if (first === undefined || last === undefined) return "[]";
  return `[${describeEntry(first)} … ${describeEntry(last)}; ${entries.length} entries]`;
}

function describeBody(message: Message): string {
  switch (message.kind) {
    case "requestVote": {
      const kind = message.preVote ? "requestPreVote" : "requestVote";
      return `${kind} last=${message.lastTerm}/${message.lastIndex}${message.transfer ? " transfer" : ""}`;
    }
    case "requestVoteReply":
      return `${message.preVote ? "preVote" : "vote"} ${message.granted ? "granted" : "refused"}`;
    case "appendEntries":
      return (
        `append prev=${message.prevTerm}/${message.prevIndex} commit=${message.commitIndex} ` +
        describeEntries(message.entries)
      );
    case "appendEntriesReply":
      return message.ok
        ? `appendReply match=${message.matchIndex}`
        : `appendReply rejected=${message.rejectedIndex} hint=${message.hintTerm}/${message.hintIndex} commit=${message.matchIndex}`;
    case "heartbeat":
      return `heartbeat round=${message.round} commit=${message.commitIndex}`;
    case "commitNotice":
      return `commit=${message.commitIndex}`;
    case "heartbeatReply":
      return message.promiseMs === 0
        ? `heartbeatReply round=${message.round}`
        : `heartbeatReply round=${message.round} promise=${message.promiseMs}ms`;
    case "readIndexRequest":
      return `readIndex context=${message.context.nonce}:${message.context.counter}`;
    case "readIndexReply":
      return `readIndexReply context=${message.context.nonce}:${message.context.counter} index=${message.index}`;
    case "installSnapshot": {
      const { term, index, membership } = message.snapshot;
      return `installSnapshot ${term}/${index} ${describeMembership(membership)}`;
    }
    case "timeoutNow":
      return "timeoutNow";
    default:
      return unreachable(message);
  }
}

/** A message in one line, `from->to`, term, kind and content: for traces and scripts. */
export function describeMessage(message: Message): string {
  return `${message.from}->${message.to} t${message.term} ${describeBody(message)}`;
}
