/** Bounds of the replicated state. Every replica must have the same: they decide what a command does. */
export interface TreeLimits {
  /**
   * Bytes the state may take, as `DataTree.approximateBytes` counts them. Ops that would grow it beyond fail TREE_FULL. Sessions
   * count, but may come on top, up to `sessionsMax`; so may replies that nobody has acknowledged, within the bounds of
   * `reply-room.ts`: a quarter of it, and 4 KiB a session.
   */
  readonly bytesMax: number;
  /** Live sessions; opening one more is refused with TREE_FULL. */
  readonly sessionsMax: number;
  /** Ephemerals and contenders of one session; one more fails TOO_LARGE. Bounds the work of ending a session. */
  readonly sessionEphemeralsMax: number;
  /** Bytes of the change log, as it counts them. Not part of the digest. */
  readonly changeLogBytesMax: number;
  /** Changes in the change log. Not part of the digest. */
  readonly changeLogCountMax: number;
  /** Newest changes that a checkpoint keeps on disk. Not part of the digest. */
  readonly changeLogImagedMax: number;
  /** Bytes of them at most, as the change log counts them. Not part of the digest. */
  readonly changeLogImagedBytesMax: number;
}

/**
 * Defaults: 1 GiB of counted state, which stays well below half of a 4 GiB heap; 64 MiB and 131,072 changes of history, about
 * a second of writes at full load. The newest 8,192 of them, or 8 MiB, are on disk too, as of the last checkpoint; a restart
 * replays the log from there on, so what it can resume from reaches back further still.
 */
export const TREE_LIMITS: TreeLimits = {
  bytesMax: 1_073_741_824,
  sessionsMax: 200_000,
  sessionEphemeralsMax: 10_000,
  changeLogBytesMax: 67_108_864,
  changeLogCountMax: 131_072,
  changeLogImagedMax: 8_192,
  changeLogImagedBytesMax: 8_388_608,
};
