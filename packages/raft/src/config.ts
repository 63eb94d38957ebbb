import type { Entry } from "./entry.ts";
import type { NodeId } from "./ids.ts";
import type { SnapshotMeta } from "./message.ts";
import type { HardState } from "./ready.ts";

/**
 * Leases, by the host's clock in ms. Whoever follows promises to help nobody else for `promiseMs`; whoever leads relies on
 * it for `durationMs`. Safe as long as no clock's rate is off by more than `(promise − duration) / (promise + duration)`.
 */
export interface LeaseConfig {
  readonly promiseMs: number;
  readonly durationMs: number;
}

/** Settings of one core. All times but those of leases are in ticks. */
export interface RaftConfig {
  readonly id: NodeId;
  /** A leader's heartbeat interval. */
  readonly heartbeatTicks: number;
  /** Election timeouts are drawn from [electionTicks, 2 × electionTicks). Raft paper, section 5.2. */
  readonly electionTicks: number;
  /** Bounds of one appendEntries. */
  readonly appendEntriesMax: number;
  readonly appendBytesMax: number;
  /** Bounds of what is unacknowledged at one peer. */
  readonly inflightEntriesMax: number;
  readonly inflightBytesMax: number;
  /** Log bytes kept in memory; older entries are fetched from disk for laggards. Unapplied and unpersisted always stay. */
  readonly memoryLogBytesMax: number;
  /**
   * A leader refuses proposals when more than this is uncommitted. As much may be committed and not applied before a node takes
   * no more in.
   */
  readonly uncommittedBytesMax: number;
  readonly entryBytesMax: number;
  /** Entries of one disk write, in bytes; one entry goes in any case. A backlog then takes several, acknowledged one by one. */
  readonly persistBytesMax: number;
  /** Committed bytes handed out in one Ready. */
  readonly applyBytesMax: number;
  /**
   * Null: every linearizable read is confirmed by a round of heartbeats. Otherwise a leader answers reads without asking
   * while its lease lasts, and the host steps `clock` before anything else of a turn.
   */
  readonly lease: LeaseConfig | null;
  /** Seeds the core's own generator (election timeouts). Different on every node. */
  readonly seed: number;
}

/** What a core starts from: the durable log as the host found it. */
export interface RaftInitialState {
  readonly hardState: HardState;
  /** The image the log stands on; index 0 with the formation's membership on a first start. */
  readonly snapshot: SnapshotMeta;
  /** First index that is still on disk (≤ snapshot.index + 1 where the log behind the image is kept). */
  readonly firstIndex: number;
  /** Every entry after the snapshot, in order, without a gap. */
  readonly entries: readonly Entry[];
}
