import {
  logIndex,
  nodeId,
  term,
  type Entry,
  type LeaseConfig,
  type LogIndex,
  type Member,
  type Membership,
  type Message,
  type NodeId,
  type PersistTicket,
  type Promotion,
  type RaftConfig,
  type RaftInitialState,
  type RaftInput,
  type ReadContext,
  type SnapshotMeta,
  type Term,
  type HardState,
} from "@quorate/raft";
import {
  anyNumber,
  bytes,
  flag,
  list,
  nullable,
  record,
  text,
  union,
  whole,
  type Shape,
} from "./json-shape.ts";

const id: Shape<NodeId> = whole(1, nodeId);
const termShape: Shape<Term> = whole(0, term);
const index: Shape<LogIndex> = whole(0, logIndex);
const ids = list(id);

const promotion: Shape<Promotion> = union<Promotion>({
  none: {},
  voter: {},
  replacement: { of: id },
});

const member: Shape<Member> = record<Member>({
  id,
  name: text,
  peerAddress: text,
  clientAddress: text,
  promotion,
});

const membership: Shape<Membership> = record<Membership>({
  voters: ids,
  outgoingVoters: ids,
  learners: ids,
  members: list(member),
});

const snapshot: Shape<SnapshotMeta> = record<SnapshotMeta>({ index, term: termShape, membership });
const context: Shape<ReadContext> = record<ReadContext>({ nonce: anyNumber, counter: anyNumber });
const ticket: Shape<PersistTicket> = record<PersistTicket>({ seq: anyNumber });

const slot = { term: termShape, index };
const entry: Shape<Entry> = union<Entry>({
  noop: slot,
  command: { ...slot, data: bytes },
  config: { ...slot, membership },
});

/** Entries, in order. */
export const entriesShape: Shape<readonly Entry[]> = list(entry);

const envelope = { from: id, to: id, term: termShape };
const message: Shape<Message> = union<Message>({
  requestVote: {
    ...envelope,
    preVote: flag,
    transfer: flag,
    lastIndex: index,
    lastTerm: termShape,
  },
  requestVoteReply: { ...envelope, preVote: flag, granted: flag },
  appendEntries: {
    ...envelope,
    prevIndex: index,
    prevTerm: termShape,
    entries: entriesShape,
    commitIndex: index,
  },
  appendEntriesReply: {
    ...envelope,
    ok: flag,
    matchIndex: index,
    rejectedIndex: index,
    hintIndex: index,
    hintTerm: termShape,
  },
  heartbeat: { ...envelope, commitIndex: index, commitTerm: termShape, round: anyNumber },
  heartbeatReply: { ...envelope, round: anyNumber, promiseMs: anyNumber },
  commitNotice: { ...envelope, commitIndex: index },
  readIndexRequest: { ...envelope, context },
  readIndexReply: { ...envelope, context, index: nullable(index) },
  installSnapshot: { ...envelope, snapshot },
  timeoutNow: envelope,
});

/** Everything that can happen to a core. */
export const inputShape: Shape<RaftInput> = union<RaftInput>({
  tick: {},
  clock: { nowMs: anyNumber },
  message: { message },
  propose: { commands: list(bytes) },
  proposeMembership: { membership },
  readIndex: { context },
  campaign: {},
  transferLeadership: { to: id },
  persisted: { ticket },
  applied: { index },
  fetched: { peer: id, from: index, prevTerm: termShape, entries: nullable(entriesShape) },
  peerUnreachable: { peer: id },
  snapshotSent: { to: id, ok: flag },
  compact: { snapshot },
});

/** A core's settings. */
export const configShape: Shape<RaftConfig> = record<RaftConfig>({
  id,
  heartbeatTicks: anyNumber,
  electionTicks: anyNumber,
  appendEntriesMax: anyNumber,
  appendBytesMax: anyNumber,
  inflightEntriesMax: anyNumber,
  inflightBytesMax: anyNumber,
  memoryLogBytesMax: anyNumber,
  uncommittedBytesMax: anyNumber,
  entryBytesMax: anyNumber,
  persistBytesMax: anyNumber,
  applyBytesMax: anyNumber,
  lease: nullable(record<LeaseConfig>({ promiseMs: anyNumber, durationMs: anyNumber })),
  seed: anyNumber,
});

/** What a core starts from, but for the entries of its log, of which there may be many. */
export type InitialStand = Omit<RaftInitialState, "entries">;

export const initialShape: Shape<InitialStand> = record<InitialStand>({
  hardState: record<HardState>({ term: termShape, votedFor: nullable(id) }),
  snapshot,
  firstIndex: anyNumber,
});
