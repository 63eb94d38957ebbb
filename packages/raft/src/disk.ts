import { assert } from "./assert.ts";
import type { PersistTicket } from "./input.ts";
import type { NodeState } from "./node-state.ts";
import { reached } from "./points.ts";
import type { PersistWork } from "./ready.ts";

const nothing: PersistWork["entries"] = Object.freeze([]);

/** The disk holds this node's current term (and with it the vote of that term, once one was handed out). */
export function isTermDurable(state: NodeState): boolean {
  assert(state.disk.term <= state.term, "durable_term_within_term");
  return state.disk.term === state.term;
}

/** The disk holds the vote that this node gave in its current term. */
export function isVoteDurable(state: NodeState): boolean {
  return isTermDurable(state) && state.disk.votedFor === state.votedFor;
}

/** The next disk write, if there is something to write and none is under way. */
export function takePersistWork(state: NodeState): PersistWork | null {
  const { config, disk, log } = state;
  if (disk.inFlight !== null) return null;
  const from = log.unpersistedFrom;
  const isEmpty = from > log.lastIndex;
  if (isEmpty && disk.snapshotDue === null && isVoteDurable(state)) return null;
  assert(state.term >= disk.term, "written_term_never_back");
  const to = isEmpty ? log.lastIndex : log.lastWithin(from, log.lastIndex, config.persistBytesMax);
  log.beginPersist(to);
  disk.lastSeq += 1;
  const { term, votedFor } = state;
  disk.inFlight = {
    seq: disk.lastSeq,
    term,
    votedFor,
    snapshot: disk.snapshotDue,
    startTick: state.now,
  };
  const { lastSeq: seq, snapshotDue } = disk;
  const snapshotIndex = snapshotDue?.index ?? null;
  state.trace?.({ kind: "writeBegun", seq, term, votedFor, from, to, snapshotIndex });
  return {
    ticket: { seq: disk.lastSeq },
    hardState: { term, votedFor },
    entries: isEmpty ? nothing : log.slice(from, to),
    snapshot: disk.snapshotDue,
  };
}

/** A write is durable. False for a ticket that is not under way. */
export function completePersist(state: NodeState, ticket: PersistTicket): boolean {
  const { disk, log } = state;
  const done = disk.inFlight;
  if (done === null || done.seq !== ticket.seq) return false;
  assert(done.term >= disk.term, "durable_term_never_back");
  disk.inFlight = null;
  disk.term = done.term;
  disk.votedFor = done.votedFor;
  log.endPersist();
  const { seq, term, votedFor } = done;
  const { persistedIndex } = log;
  state.trace?.({ kind: "writeDurable", seq, term, votedFor, persistedIndex });
  if (done.snapshot !== null && done.snapshot !== disk.snapshotDue) {
    reached("snapshot_replaced_while_it_was_written");
  }
  if (done.snapshot !== null && done.snapshot === disk.snapshotDue) {
    disk.snapshotDue = null;
    state.installDue = done.snapshot;
  }
  return true;
}
