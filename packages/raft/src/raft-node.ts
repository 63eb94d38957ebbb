import { assert, unreachable } from "./assert.ts";
import { awaitsOwnVote, onCandidatePersisted, startPreVote } from "./candidate.ts";
import type { CommitConflict } from "./commit-conflict.ts";
import type { RaftConfig, RaftInitialState } from "./config.ts";
import { completePersist, takePersistWork } from "./disk.ts";
import type { Entry } from "./entry.ts";
import { expireForwardedReads, flushAck, forwardRead, suspectLeader } from "./follower.ts";
import { earlier, indexAfter, type LogIndex, type NodeId } from "./ids.ts";
import type { PersistTicket, RaftInput, StepResult } from "./input.ts";
import { checkInvariants } from "./invariants.ts";
import {
  flushLeader,
  onLeaderPersisted,
  propose,
  proposeMembership,
  takeRead,
  tickLeader,
  transferLeadership,
} from "./leader.ts";
import { isPromised, tellClock } from "./lease.ts";
import type { ReadContext, SnapshotMeta } from "./message.ts";
import {
  accepted,
  becomeFollower,
  createNodeState,
  mayCampaign,
  resetElectionTimer,
  type NodeState,
} from "./node-state.ts";
import { reached } from "./points.ts";
import type { Ready, SoftState } from "./ready.ts";
import { receive } from "./receive.ts";
import { onFetched } from "./replication.ts";
import { statusOf } from "./status-of.ts";
import type { RaftStatus } from "./status.ts";
import { tracePeerState, traceStarted } from "./trace-changes.ts";
import type { TraceSink } from "./trace-event.ts";
import { validateConfig } from "./validate-config.ts";
import { flushGrant } from "./voting.ts";

const none: readonly never[] = Object.freeze([]);

/**
 * One member's consensus, without I/O, clock or chance: inputs in, work lists out. The same inputs in the same order always
 * give the same work.
 *
 * The host steps everything that happens, then takes one {@link Ready} and carries it out. Whatever must wait for the disk
 * waits inside, so the parts of a Ready may be carried out in any order among each other, except that `installSnapshot`
 * comes before `committed`.
 */
export class RaftNode {
  readonly #state: NodeState;
  /** The last one handed out. */
  #soft: SoftState | null = null;

  /** Throws `InvariantError` if settings or initial state contradict themselves. `trace` is told every event from now on. */
  constructor(config: RaftConfig, initial: RaftInitialState, trace: TraceSink | null = null) {
    validateConfig(config);
    this.#state = createNodeState(config, initial, trace);
    traceStarted(this.#state);
  }

  /** Whoever listens has heard enough. */
  endTrace(): void {
    this.#state.trace = null;
  }

  /**
   * Takes one input in. A refusal changes nothing. Never throws for what comes from outside; an `InvariantError` means that
   * this node's state cannot be trusted any more, and its process has to end.
   */
  step(input: RaftInput): StepResult {
    const state = this.#state;
    switch (input.kind) {
      case "tick":
        this.#tick();
        return accepted;
      case "clock":
        tellClock(state, input.nowMs);
        return accepted;
      case "message":
        receive(state, input.message);
        return accepted;
      case "propose":
        return propose(state, input.commands);
      case "proposeMembership":
        return proposeMembership(state, input.membership);
      case "readIndex":
        this.#read(input.context);
        return accepted;
      case "campaign":
        this.#campaign();
        return accepted;
      case "transferLeadership":
        return transferLeadership(state, input.to);
      case "persisted":
        this.#persisted(input.ticket);
        return accepted;
      case "applied":
        this.#applied(input.index);
        return accepted;
      case "fetched":
        onFetched(state, input);
        return accepted;
      case "peerUnreachable":
        this.#peerUnreachable(input.peer);
        return accepted;
      case "snapshotSent":
        this.#snapshotSent(input.to, input.ok);
        return accepted;
      case "compact":
        this.#compact(input.snapshot);
        return accepted;
      default:
        return unreachable(input);
    }
  }

  /** What the inputs since the last call amount to; null when there is nothing to do. Call until null. */
  takeReady(): Ready | null {
    const state = this.#state;
    flushLeader(state);
    flushAck(state);
    flushGrant(state);
    const persist = takePersistWork(state);
    const installSnapshot = state.installDue;
    state.installDue = null;
    if (installSnapshot !== null) {
      state.trace?.({ kind: "snapshotHandedOut", index: installSnapshot.index });
    }
    const committed = this.#takeCommitted();
    const isInOrder =
      installSnapshot === null || (committed[0]?.index ?? Infinity) > installSnapshot.index;
    assert(isInOrder, "installed_before_what_follows");
    const softState = this.#takeSoftState();
    const messages = state.outbox.length > 0 ? state.outbox : none;
    const reads = state.readStates.length > 0 ? state.readStates : none;
    const fetches = state.fetches.length > 0 ? state.fetches : none;
    const isIdle =
      persist === null &&
      softState === null &&
      installSnapshot === null &&
      committed.length === 0 &&
      messages.length === 0 &&
      reads.length === 0 &&
      fetches.length === 0;
    if (isIdle) return null;
    // The lists are the host's from here on: nothing may be added to them.
    if (messages.length > 0) state.outbox = [];
    if (reads.length > 0) state.readStates = [];
    if (fetches.length > 0) state.fetches = [];
    return { softState, persist, messages, committed, installSnapshot, reads, fetches };
  }

  /** See {@link RaftStatus.conflict}; to be looked at after every turn. */
  get conflict(): CommitConflict | null {
    return this.#state.conflict;
  }

  /** A copy of what this core knows. */
  status(): RaftStatus {
    return statusOf(this.#state);
  }

  /** Throws `InvariantError` if anything that must always hold does not. Walks the log in memory. */
  checkInvariants(): void {
    checkInvariants(this.#state);
  }

  /** Entries in memory from `from` up to and including `to`, both within [firstIndex, lastIndex]. For tests and tools. */
  entriesFrom(from: LogIndex, to: LogIndex): readonly Entry[] {
    return this.#state.log.slice(from, to);
  }

  #tick(): void {
    const state = this.#state;
    state.now += 1;
    if (state.role === "leader") {
      tickLeader(state);
      return;
    }
    expireForwardedReads(state);
    state.electionElapsed += 1;
    const isSuspicionDue = state.isLeaderSuspected && state.now >= state.suspicionTick;
    const isTimeout = state.electionElapsed >= state.electionTimeout && !awaitsOwnVote(state);
    if (!isTimeout && !isSuspicionDue) return;
    if (isPromised(state, state.id)) {
      reached("campaign_waits_for_promise");
      return;
    }
    if (mayCampaign(state)) {
      startPreVote(state, isTimeout ? "electionTimeout" : "leaderSuspected");
      return;
    }
    if (!isTimeout) return;
    reached("timeout_of_who_may_not_campaign");
    becomeFollower(state, state.term, null, "electionTimeout");
    resetElectionTimer(state);
  }

  #campaign(): void {
    const state = this.#state;
    const { role, leader } = state;
    if (leader !== null || (role !== "follower" && role !== "preCandidate")) return;
    if (mayCampaign(state) && !isPromised(state, state.id)) startPreVote(state, "campaignOrdered");
  }

  #read(context: ReadContext): void {
    const state = this.#state;
    if (state.role === "leader") takeRead(state, state.id, context);
    else forwardRead(state, context);
  }

  #persisted(ticket: PersistTicket): void {
    const state = this.#state;
    if (!completePersist(state, ticket)) {
      reached("write_durable_that_was_not_awaited");
      return;
    }
    assert(state.disk.inFlight === null, "one_write_at_a_time");
    onLeaderPersisted(state);
    onCandidatePersisted(state);
    this.#trim();
  }

  #applied(index: LogIndex): void {
    const state = this.#state;
    const isNews = index > state.appliedIndex && index <= state.handedIndex;
    if (!isNews) return;
    assert(index <= state.commitIndex, "applied_is_committed");
    state.appliedIndex = index;
    state.trace?.({ kind: "applied", index });
    this.#trim();
  }

  /** Keeps the log in memory within its bound, but never forgets what is not applied and durable. */
  #trim(): void {
    const state = this.#state;
    const { log, appliedIndex, config } = state;
    const limit = earlier(appliedIndex, log.persistedIndex);
    assert(limit <= state.handedIndex, "trims_what_was_handed_out");
    const before = log.baseIndex;
    if (limit > before) log.trim(limit, config.memoryLogBytesMax);
    if (log.baseIndex === before) return;
    state.trace?.({ kind: "memoryTrimmed", firstIndex: log.firstIndex });
  }

  #peerUnreachable(id: NodeId): void {
    const state = this.#state;
    const peer = state.leading?.peers.get(id);
    if (peer?.state === "replicate" && id !== state.id) {
      peer.becomeProbe();
      tracePeerState(state, peer, "replicate");
    }
    if (state.role === "follower" && id === state.leader) suspectLeader(state);
  }

  #snapshotSent(to: NodeId, isComplete: boolean): void {
    const state = this.#state;
    const peer = state.leading?.peers.get(to);
    if (peer?.state !== "snapshot") {
      reached("snapshot_ended_nobody_waits_for");
      return;
    }
    peer.endSnapshot(isComplete, state.now);
    state.trace?.({ kind: "snapshotEnded", peer: to, isComplete });
    tracePeerState(state, peer, "snapshot");
  }

  /** Remembers the newest image for peers that need one. The disk's log may reach further back, so it is tried first. */
  #compact(snapshot: SnapshotMeta): void {
    const state = this.#state;
    if (snapshot.index <= state.image.index || snapshot.index > state.handedIndex) {
      reached("image_offered_is_no_news");
      return;
    }
    assert(snapshot.term <= state.term, "image_term_within_term");
    state.image = snapshot;
    state.trace?.({ kind: "imageOffered", index: snapshot.index, term: snapshot.term });
  }

  /** Committed entries, only as far as the own disk has them: the state machine is never ahead of the own log. */
  #takeCommitted(): readonly Entry[] {
    const state = this.#state;
    const { log, handedIndex, config } = state;
    const limit = earlier(state.commitIndex, log.persistedIndex);
    if (limit <= handedIndex) return none;
    const from = indexAfter(handedIndex);
    const to = log.lastWithin(from, limit, config.applyBytesMax);
    assert(to >= from && to <= limit, "handed_is_committed_and_durable");
    state.handedIndex = to;
    state.trace?.({ kind: "entriesHandedOut", from, to });
    return log.slice(from, to);
  }

  #takeSoftState(): SoftState | null {
    const { role, leader, term } = this.#state;
    const last = this.#soft;
    assert(last === null || term >= last.term, "told_term_never_back");
    if (role === last?.role && leader === last.leader && term === last.term) return null;
    this.#soft = { role, leader, term };
    return this.#soft;
  }
}
