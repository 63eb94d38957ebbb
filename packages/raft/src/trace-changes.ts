import { indexAfter, type LogIndex } from "./ids.ts";
import type { NodeState } from "./node-state.ts";
import type { Progress } from "./progress.ts";
import type { ProgressState } from "./status.ts";

/** Tells what a core begins with. */
export function traceStarted(state: NodeState): void {
  const { log, memberships, image, id, term, votedFor } = state;
  state.trace?.({
    kind: "started",
    id,
    term,
    votedFor,
    imageIndex: image.index,
    imageTerm: image.term,
    lastIndex: log.lastIndex,
    lastTerm: log.lastTerm,
    membershipIndex: memberships.currentIndex,
    membership: memberships.current,
  });
}

/** Tells that everything in the log from `from` on was appended just now, and which memberships are in force with it. */
export function traceAppended(state: NodeState, from: LogIndex): void {
  const { trace, log } = state;
  if (trace === null) return;
  const entries = log.slice(from, log.lastIndex);
  let start = from;
  for (const [at, entry] of entries.entries()) {
    const isConfig = entry.kind === "config";
    if (entries[at + 1]?.term === entry.term && !isConfig) continue;
    trace({ kind: "entriesAppended", term: entry.term, from: start, to: entry.index });
    start = indexAfter(entry.index);
    if (!isConfig) continue;
    trace({ kind: "membershipInForce", index: entry.index, membership: entry.membership });
  }
}

/** Tells that the leader replicates to `peer` in another way than before, if it does. */
export function tracePeerState(state: NodeState, peer: Progress, before: ProgressState): void {
  const { trace } = state;
  if (trace === null || peer.state === before) return;
  const { id, state: to, nextIndex } = peer;
  trace({ kind: "peerStateChanged", peer: id, from: before, to, nextIndex });
}
