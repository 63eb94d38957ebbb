export { InvariantError } from "./assert.ts";
export type { CommitConflict } from "./commit-conflict.ts";
export type { LeaseConfig, RaftConfig, RaftInitialState } from "./config.ts";
export { describeTraceEvent, traceEventKinds } from "./describe-event.ts";
export { describeInput } from "./describe-input.ts";
export { describeEntry, describeMembership, describeMessage } from "./describe.ts";
export type { CommandEntry, ConfigEntry, Entry, EntryId, NoopEntry } from "./entry.ts";
export {
  indexAfter,
  logIndex,
  nodeId,
  term,
  type LogIndex,
  type NodeId,
  type Term,
} from "./ids.ts";
export type { PersistTicket, RaftInput, RejectReason, StepResult } from "./input.ts";
export type { Member, Membership, Promotion } from "./membership.ts";
export {
  findMember,
  isJoint,
  isLearner,
  isMember,
  isVoter,
  memberIds,
  membersMax,
  validateChange,
  validateMembership,
} from "./membership-rules.ts";
export type * from "./message.ts";
export { RaftNode } from "./raft-node.ts";
export type {
  FetchWork,
  HardState,
  PersistWork,
  ReadState,
  Ready,
  Role,
  SoftState,
} from "./ready.ts";
export type { PeerStatus, ProgressState, RaftStatus } from "./status.ts";
export type { TraceEvent, TraceEventKind, TraceSink } from "./trace-event.ts";
export { validateConfig } from "./validate-config.ts";
