/**
 * What a node has begun and not ended, in counts and bytes: what clients wait for, the way into the log, the way to the
 * peers. Each is bounded, and 0 once nobody asks for anything any more.
 */
export interface UnderWay {
  /** Connections that have no session yet. */
  readonly attachesWaiting: number;
  /** Sessions whose writes this node keeps until they are applied. */
  readonly sessionsAttached: number;
  /** Sessions whose owner ended them, until the log says so. */
  readonly closesWaiting: number;
  /** Pings that the leader has not noted. */
  readonly pingsWaiting: number;
  /** Clients with reads that are not answered. */
  readonly clientsReading: number;
  /** Linearizable reads whose index is not known. */
  readonly readsWaiting: number;
  readonly proposalsPending: number;
  readonly proposalBytesPending: number;
  /** Commands that wait for the leader's next entry. */
  readonly commandsQueued: number;
  /** Bytes of entries of a leader's log that are not committed. */
  readonly uncommittedBytes: number;
  /** Entries sent to peers and not acknowledged. */
  readonly inflightEntries: number;
  readonly entriesToApply: number;
  /** Bytes that wait to leave for peers. */
  readonly peerBytesQueued: number;
  /** Snapshots on their way to peers. */
  readonly snapshotTransfers: number;
  readonly backups: number;
}

export const NOTHING_UNDER_WAY: UnderWay = {
  attachesWaiting: 0,
  sessionsAttached: 0,
  closesWaiting: 0,
  pingsWaiting: 0,
  clientsReading: 0,
  readsWaiting: 0,
  proposalsPending: 0,
  proposalBytesPending: 0,
  commandsQueued: 0,
  uncommittedBytes: 0,
  inflightEntries: 0,
  entriesToApply: 0,
  peerBytesQueued: 0,
  snapshotTransfers: 0,
  backups: 0,
};

export const UNDER_WAY_HELP: Readonly<Record<keyof UnderWay, string>> = {
  attachesWaiting: "Client connections without a session yet",
  sessionsAttached: "Sessions whose writes this node keeps until they are applied",
  closesWaiting: "Sessions whose end waits for the log",
  pingsWaiting: "Pings of this node's clients that the leader has not noted yet",
  clientsReading: "Clients with reads that are not answered yet",
  readsWaiting: "Linearizable reads of this node whose index is not known yet",
  proposalsPending: "Commands of this node not applied yet",
  proposalBytesPending: "Bytes of commands of this node not applied yet",
  commandsQueued: "Commands that wait for the leader's next entry",
  uncommittedBytes: "Bytes of entries of the leader's log that are not committed yet",
  inflightEntries: "Entries sent to peers and not acknowledged yet",
  entriesToApply: "Committed entries that this node has not applied yet",
  peerBytesQueued: "Bytes that wait to leave for peers",
  snapshotTransfers: "Snapshots on their way to peers",
  backups: "Backups that are being read",
};
