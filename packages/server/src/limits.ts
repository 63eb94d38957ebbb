import { TREE_LIMITS, type TreeLimits } from "@quorate/kv-store";
import { PROTOCOL_LIMITS } from "@quorate/kv-store/protocol";
import type { RaftConfig } from "@quorate/raft";
import type { WatchLimits } from "./client/client-watches.ts";
import type { OutboxLimits } from "./client/outbox.ts";
import { ServerError } from "./errors.ts";
import type { IntakeLimits } from "./proposal-intake.ts";
import type { ProposalLimits } from "./proposals.ts";

/** Bounds that the core is given. */
export type RaftLimits = Pick<
  RaftConfig,
  | "appendEntriesMax"
  | "appendBytesMax"
  | "inflightEntriesMax"
  | "inflightBytesMax"
  | "memoryLogBytesMax"
  | "uncommittedBytesMax"
  | "entryBytesMax"
  | "persistBytesMax"
  | "applyBytesMax"
>;

/** Bounds of the connections between nodes. */
export interface PeerLimits {
  /** Bytes of one frame; whatever one envelope may hold fits. */
  readonly frameBytesMax: number;
  /** Bytes of the first frame of a link. */
  readonly helloBytesMax: number;
  /** What waits for one peer, in the queue and in the network: entries and proposals are refused beyond. */
  readonly queueBytesMax: number;
  readonly queueCountMax: number;
  /** Kept free above the queue's bounds for heartbeats, votes and acknowledgements. */
  readonly reserveBytes: number;
  readonly reserveCount: number;
  /** A snapshot piece waits in the queue while more than this is on the way to the peer. */
  readonly bulkBufferedBytesMax: number;
  /** Bytes and envelopes that one peer gets through within a turn; the rest waits in the network. */
  readonly turnBytesMax: number;
  readonly turnEnvelopesMax: number;
  /** Answers that a peer may leave unread on the link it dialled. */
  readonly unreadBytesMax: number;
  /** Incoming links that have said who they are. */
  readonly linksMax: number;
  /** Incoming links that have not. */
  readonly greetingMax: number;
  /** Sockets beside the links: handshakes under way. */
  readonly otherSocketsMax: number;
}

/** Bounds of the client listener. */
export interface ClientLimits extends WatchLimits {
  readonly connectionsMax: number;
  /** Sockets beside the connections: plain HTTP requests, and handshakes under way. */
  readonly otherSocketsMax: number;
  readonly frameBytesMax: number;
  /** Bytes of the first frame of a connection. */
  readonly helloBytesMax: number;
  /** Memory that frames of all clients together may take while they are incomplete; whose frame takes most is let go. */
  readonly unfinishedBytesMax: number;
  /** Bytes that all clients together may leave unread; who has left most is let go. */
  readonly unreadBytesMax: number;
}

/** When the disk counts as full. */
export interface DiskLimits {
  /** Free bytes below which growing writes are refused; reads and deletes go on. */
  readonly freeBytesMin: number;
  /** Bytes of it that only the log, checkpoints and recovery may use. */
  readonly reserveBytes: number;
}

/** Sizes of what stands on disk. */
export interface StorageLimits {
  /** Of one file of the log. */
  readonly segmentBytes: number;
  /**
   * Bytes of applied commands, or their number, after which the image is brought up to date. A start replays entries, and a
   * checkpoint writes bytes, each several times over: so it is the number that counts where values are small.
   */
  readonly checkpointBytes: number;
  readonly checkpointEntries: number;
  /** Records of a checkpoint that are encoded before other work gets its turn, unless time is up before. */
  readonly checkpointTurnRecords: number;
  /** Of one piece of a snapshot to a peer: small enough that a heartbeat behind it is not late on a slow link. */
  readonly snapshotPieceBytes: number;
  /** Of one piece of a backup, about; a piece is what its reader may leave unread. */
  readonly backupPieceBytes: number;
}

/** When the lead goes to a node with a higher priority, ms. */
export interface PreferenceLimits {
  /** It has been well for so long. */
  readonly wellMs: number;
  /** A lead that was not taken, or lasted less, was a failure: the next one is twice `wellMs` away, and twice as far each time. */
  readonly lastingMs: number;
  readonly waitMsMax: number;
}

/** Every bound of one server. */
export interface ServerLimits {
  /** Decide what a command does, so they must be the same on every node of an ensemble. */
  readonly tree: TreeLimits;
  readonly raft: RaftLimits;
  readonly intake: IntakeLimits;
  readonly proposals: ProposalLimits;
  readonly outbox: OutboxLimits;
  readonly client: ClientLimits;
  readonly peer: PeerLimits;
  readonly disk: DiskLimits;
  readonly storage: StorageLimits;
  readonly preference: PreferenceLimits;
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** What an encoded entry or a proposed command costs beside its data, bytes; generous. */
export const ENTRY_OVERHEAD_BYTES = 64;
/** What a frame and an envelope cost beside their payload, bytes; generous. */
export const FRAME_OVERHEAD_BYTES: number = 64 * KIB;

/**
 * Defaults. A command is at most what one client frame can carry; everything else follows from that by the relations
 * that {@link validateLimits} checks.
 */
export const SERVER_LIMITS: ServerLimits = {
  tree: TREE_LIMITS,
  raft: {
    entryBytesMax: PROTOCOL_LIMITS.frameBytesMax + 64 * KIB,
    appendEntriesMax: 8192,
    appendBytesMax: PROTOCOL_LIMITS.frameBytesMax + 128 * KIB,
    inflightEntriesMax: 65_536,
    inflightBytesMax: 16 * MIB,
    memoryLogBytesMax: 64 * MIB,
    uncommittedBytesMax: 64 * MIB,
    // More than one batch of proposals, which so is one write.
    persistBytesMax: 2 * MIB,
    applyBytesMax: MIB,
  },
  intake: {
    bytesMax: 64 * MIB,
    countMax: 262_144,
    batchBytesMax: MIB,
    batchCountMax: 8192,
  },
  proposals: { pendingBytesMax: 16 * MIB, pendingCountMax: 65_536 },
  outbox: { bufferedBytesMax: 16 * MIB, frameMessagesMax: 2048, frameBytesMax: 256 * KIB },
  client: {
    connectionsMax: 20_000,
    otherSocketsMax: 64,
    frameBytesMax: PROTOCOL_LIMITS.frameBytesMax,
    helloBytesMax: 64 * KIB,
    unfinishedBytesMax: 256 * MIB,
    unreadBytesMax: 256 * MIB,
    // About what the tree may take by default; so many watches on short paths.
    watchesMax: 1_000_000,
    watchBytesMax: 768 * MIB,
  },
  peer: {
    frameBytesMax: 32 * MIB,
    helloBytesMax: 64 * KIB,
    queueBytesMax: 48 * MIB,
    queueCountMax: 16_384,
    reserveBytes: 4 * MIB,
    reserveCount: 4096,
    bulkBufferedBytesMax: 256 * KIB,
    turnBytesMax: MIB,
    turnEnvelopesMax: 16_384,
    unreadBytesMax: 64 * KIB,
    linksMax: 64,
    greetingMax: 64,
    otherSocketsMax: 64,
  },
  disk: { freeBytesMin: 256 * MIB, reserveBytes: 16 * MIB },
  storage: {
    segmentBytes: 16 * MIB,
    checkpointBytes: 256 * MIB,
    checkpointEntries: 200_000,
    checkpointTurnRecords: 8192,
    snapshotPieceBytes: 64 * KIB,
    backupPieceBytes: 256 * KIB,
  },
  preference: { wellMs: 5_000, lastingMs: 60_000, waitMsMax: 300_000 },
};

/**
 * Throws CONFIG_INVALID unless the limits fit each other: whatever one part lets in, the next one can carry.
 */
export function validateLimits(limits: ServerLimits): void {
  checkPositive(limits);
  checkRaft(limits);
  checkPeer(limits);
  checkProposals(limits);
  const { tree, raft, outbox, disk, preference } = limits;
  demand(
    outbox.frameBytesMax + PROTOCOL_LIMITS.dataBytesMax <= PROTOCOL_LIMITS.frameBytesMax,
    "a frame to a client must stay within the protocol with one more znode in it",
  );
  demand(
    outbox.bufferedBytesMax >= PROTOCOL_LIMITS.frameBytesMax,
    "a client's outbox must hold a whole frame",
  );
  demand(
    tree.bytesMax >= raft.entryBytesMax,
    `the tree must be able to hold one entry: tree-bytes-max must be at least ${raft.entryBytesMax}`,
  );
  demand(
    preference.waitMsMax >= preference.wellMs,
    "whoever failed to lead waits no less than whoever did not",
  );
  demand(
    disk.freeBytesMin > disk.reserveBytes,
    `disk-free-bytes-min must be above disk-reserve-bytes (${disk.reserveBytes}), or the reserve would be used up first`,
  );
}

function checkRaft({ raft, client }: ServerLimits): void {
  demand(
    client.frameBytesMax <= PROTOCOL_LIMITS.frameBytesMax,
    "client frames may be at most what the protocol allows",
  );
  demand(
    client.unfinishedBytesMax >= 16 * client.frameBytesMax,
    "several clients must be able to send whole frames at a time",
  );
  demand(
    raft.entryBytesMax >= client.frameBytesMax + ENTRY_OVERHEAD_BYTES,
    "a log entry must hold whatever a client frame can carry",
  );
  demand(
    raft.appendBytesMax >= raft.entryBytesMax,
    "one appendEntries must hold the largest entry",
  );
  demand(
    raft.inflightBytesMax >= raft.appendBytesMax,
    "bytes in flight to a peer must hold one appendEntries",
  );
  demand(
    raft.inflightEntriesMax >= raft.appendEntriesMax,
    "entries in flight to a peer must hold one appendEntries",
  );
  demand(
    raft.memoryLogBytesMax >= raft.inflightBytesMax,
    `the log in memory must hold what is in flight to a peer: memory-log-bytes-max must be at least ${raft.inflightBytesMax}`,
  );
}

function checkPeer({ peer, raft, proposals }: ServerLimits): void {
  demand(
    peer.frameBytesMax >=
      raft.appendBytesMax + raft.appendEntriesMax * ENTRY_OVERHEAD_BYTES + FRAME_OVERHEAD_BYTES,
    "a peer frame must hold the largest appendEntries",
  );
  demand(
    peer.frameBytesMax >=
      proposals.pendingBytesMax +
        proposals.pendingCountMax * ENTRY_OVERHEAD_BYTES +
        FRAME_OVERHEAD_BYTES,
    "a peer frame must hold all pending proposals of a node, which are sent again at once",
  );
  demand(peer.queueBytesMax >= peer.frameBytesMax, "a peer's queue must hold a whole frame");
}

function checkProposals({ proposals, intake, raft, client }: ServerLimits): void {
  demand(
    proposals.pendingBytesMax >= raft.entryBytesMax,
    "pending proposals must hold the largest entry",
  );
  demand(
    intake.bytesMax >= proposals.pendingBytesMax + client.frameBytesMax &&
      intake.countMax >= proposals.pendingCountMax,
    "a leader's queue must hold all pending proposals of one node",
  );
  demand(
    raft.uncommittedBytesMax >=
      Math.max(intake.batchBytesMax, raft.entryBytesMax) +
        intake.batchCountMax * ENTRY_OVERHEAD_BYTES,
    "uncommitted bytes must hold one batch of proposals",
  );
}

function checkPositive(limits: ServerLimits): void {
  const groups: Readonly<Record<string, object>> = { ...limits };
  for (const [group, values] of Object.entries(groups)) {
    const numbers: Readonly<Record<string, unknown>> = { ...values };
    for (const [name, value] of Object.entries(numbers)) {
      demand(
        typeof value === "number" && Number.isSafeInteger(value) && value > 0,
        `${group}.${name} must be a whole number above 0`,
      );
    }
  }
}

function demand(holds: boolean, relation: string): void {
  if (!holds) throw new ServerError("CONFIG_INVALID", `limits do not fit each other: ${relation}`);
}
