import { assert } from "./assert.ts";
import { indexAfter, later, logIndex, type LogIndex, type NodeId } from "./ids.ts";
import type { Inflights } from "./inflights.ts";
import { reached } from "./points.ts";
import type { ProgressState } from "./status.ts";

/**
 * A leader's view of one member (also of itself, for the counting of quorums).
 *
 * - probe: one append at a time, to find where the logs agree;
 * - replicate: a pipeline, bounded by the window, that assumes every append arrives;
 * - snapshot: nothing is appended until the host reports the transfer's end or the peer acknowledges enough.
 *
 * Whatever happens, `nextIndex` stays above `matchIndex` (etcd-io/raft, issue 149).
 */
export class Progress {
  readonly id: NodeId;
  readonly inflights: Inflights;
  #state: ProgressState = "probe";
  #matchIndex: LogIndex = logIndex(0);
  #nextIndex: LogIndex;
  /** When the probe left that is on its way; the next one waits for its reply, or for a heartbeat's after a while. */
  #probeTick: number | null = null;
  /** Nothing came of what was sent last, and nothing was rejected: what follows may be on its way. */
  #isProbeRepeated = false;
  #snapshotIndex: LogIndex = logIndex(0);
  /** The transfer of a snapshot ended, and it has acknowledged nothing new since. */
  #isSnapshotInVain = false;
  #fetchTick: number | null = null;
  /** What it had acknowledged when it was last looked whether that moves, and when that was. */
  #lookedAt: { readonly matchIndex: LogIndex; readonly tick: number };
  /** Highest commitIndex that an append carried there. */
  sentCommit: LogIndex = logIndex(0);
  /** When it was last heard of, in ticks. */
  contactTick: number;
  /** When it last acknowledged something new, or was first sent something after it had everything. */
  movedTick: number;
  /** Highest index beyond the leader's log that it acknowledged; null: it did not. */
  claimedIndex: LogIndex | null = null;
  /** It has replied to this leader at least once. */
  hasReplied = false;
  /** Highest heartbeat round it has answered. */
  confirmedRound = 0;
  /** By the leader's clock: since when what it promised counts. */
  promisedFromMs = 0;

  constructor(id: NodeId, start: { nextIndex: LogIndex; tick: number; inflights: Inflights }) {
    this.id = id;
    this.#nextIndex = start.nextIndex;
    this.contactTick = start.tick;
    this.movedTick = start.tick;
    this.#lookedAt = { matchIndex: logIndex(0), tick: start.tick };
    this.inflights = start.inflights;
  }

  get state(): ProgressState {
    return this.#state;
  }

  get matchIndex(): LogIndex {
    return this.#matchIndex;
  }

  get nextIndex(): LogIndex {
    return this.#nextIndex;
  }

  get isFetching(): boolean {
    return this.#fetchTick !== null;
  }

  /**
   * A snapshot is on its way, which may take any time and will bring it nearer. One that follows another of which nothing came
   * does not count: it may come to nothing as well, and so on for ever.
   */
  get isSnapshotPromising(): boolean {
    return this.#state === "snapshot" && !this.#isSnapshotInVain;
  }

  /** An append may leave: the state allows it and nothing is awaited first. */
  get mayAppend(): boolean {
    if (this.#fetchTick !== null) return false;
    return this.#state === "replicate" || (this.#state === "probe" && this.#probeTick === null);
  }

  /** Where memory has its anchor the append that is due carries nothing, and only asks whether the logs agree. */
  get isProbeRepeated(): boolean {
    return this.#isProbeRepeated;
  }

  #enter(state: ProgressState): void {
    this.#state = state;
    this.#probeTick = null;
    this.#isProbeRepeated = false;
    this.#fetchTick = null;
    this.inflights.clear();
    assert(this.inflights.messages === 0, "inflights_of_pipeline_only");
  }

  /** What was sent may be lost: look again for where the logs agree. */
  becomeProbe(): void {
    const afterMatch = indexAfter(this.#matchIndex);
    const sentSnapshot = this.#state === "snapshot" ? indexAfter(this.#snapshotIndex) : afterMatch;
    this.#enter("probe");
    this.#nextIndex = later(afterMatch, sentSnapshot);
    assert(this.#nextIndex > this.#matchIndex, "progress_next_above_match");
  }

  #becomeReplicate(): void {
    assert(this.#state !== "replicate", "pipeline_begins_once");
    this.#enter("replicate");
    this.#nextIndex = indexAfter(this.#matchIndex);
  }

  /** A snapshot that ends at `index` is on its way. */
  becomeSnapshot(index: LogIndex): void {
    assert(index > this.#matchIndex, "progress_snapshot_is_news");
    this.#enter("snapshot");
    this.#snapshotIndex = index;
  }

  /** The host's transfer ended. What comes next waits for a sign of life, so that a dead peer is not flooded. */
  endSnapshot(isComplete: boolean, tick: number): void {
    assert(this.#state === "snapshot", "progress_snapshot_under_way");
    if (!isComplete) this.#snapshotIndex = this.#matchIndex;
    this.#isSnapshotInVain = true;
    this.becomeProbe();
    this.#probeTick = tick;
  }

  /** An append left at `tick` with the next `count` entries (perhaps none) of `bytes` bytes. */
  sent(count: number, bytes: number, tick: number): void {
    assert(this.mayAppend, "progress_append_allowed");
    assert(count > 0 || bytes === 0, "progress_bytes_are_of_entries");
    if (this.#state === "probe") {
      this.#probeTick = tick;
      return;
    }
    if (count === 0) return;
    this.#nextIndex = indexAfter(this.#nextIndex, count);
    this.inflights.add(logIndex(this.#nextIndex - 1), count, bytes);
  }

  /** Entries for it are being read from disk since `tick`. */
  beginFetch(tick: number): void {
    assert(this.mayAppend, "progress_fetch_allowed");
    this.#fetchTick = tick;
  }

  endFetch(): void {
    this.#fetchTick = null;
  }

  /** Gives a lost fetch up; true if there was one. */
  expireFetch(lostBeforeTick: number): boolean {
    if (this.#fetchTick === null || this.#fetchTick > lostBeforeTick) return false;
    this.#fetchTick = null;
    return true;
  }

  /** It acknowledged `matchIndex`. True if that is news. `reachableFrom`: appends can start at this index or later. */
  acknowledge(matchIndex: LogIndex, reachableFrom: LogIndex): boolean {
    const isNews = matchIndex > this.#matchIndex;
    if (isNews) {
      this.#matchIndex = matchIndex;
      this.#isSnapshotInVain = false;
    }
    if (this.#nextIndex <= this.#matchIndex) {
      this.#nextIndex = indexAfter(this.#matchIndex);
      // What is being read from disk for it begins before that.
      this.#fetchTick = null;
    }
    if (this.#state === "replicate") {
      this.inflights.freeThrough(this.#matchIndex);
    } else if (this.#state === "probe") {
      this.#becomeReplicate();
    } else if (isNews && (matchIndex >= this.#snapshotIndex || matchIndex + 1 >= reachableFrom)) {
      reached("snapshot_arrived_at_peer");
      this.#becomeReplicate();
    }
    assert(this.#nextIndex > this.#matchIndex, "progress_next_above_match");
    return isNews;
  }

  /**
   * It refused the append that followed `rejectedIndex`; the logs may agree at `agreeIndex`. True if there is something
   * to send again; a stale refusal changes nothing.
   */
  reject(rejectedIndex: LogIndex, agreeIndex: LogIndex): boolean {
    if (this.#state === "snapshot" || rejectedIndex <= this.#matchIndex) return false;
    if (this.#state === "replicate") {
      this.becomeProbe();
      return true;
    }
    if (rejectedIndex !== this.#nextIndex - 1) {
      reached("rejection_of_earlier_probe");
      return false;
    }
    const agrees = agreeIndex < rejectedIndex ? indexAfter(agreeIndex) : rejectedIndex;
    this.#nextIndex = later(agrees, indexAfter(this.#matchIndex));
    this.#probeTick = null;
    this.#isProbeRepeated = false;
    this.#fetchTick = null;
    assert(this.#nextIndex <= rejectedIndex, "progress_reject_goes_back");
    return true;
  }

  /**
   * It answered a heartbeat. True if something should be sent although nothing is new: a probe again, or in the pipeline
   * an empty append, which is refused if what went before was lost. Not sooner than `pauseTicks` after the last time, how
   * many rounds of heartbeats reads may ever start.
   */
  heartbeatAnswered(lastIndex: LogIndex, tick: number, pauseTicks: number): boolean {
    assert(tick >= this.#lookedAt.tick, "progress_ticks_go_forward");
    if (this.#state === "probe") {
      if (this.#probeTick === null) return true;
      if (tick - this.#probeTick < pauseTicks) return false;
      this.#probeTick = null;
      this.#isProbeRepeated = true;
      return true;
    }
    if (tick - this.#lookedAt.tick < pauseTicks) return false;
    const { matchIndex } = this.#lookedAt;
    assert(matchIndex <= this.#matchIndex, "match_never_back");
    this.#lookedAt = { matchIndex: this.#matchIndex, tick };
    const isStalled = this.#matchIndex < lastIndex && this.#matchIndex === matchIndex;
    return this.#state === "replicate" && isStalled;
  }
}
