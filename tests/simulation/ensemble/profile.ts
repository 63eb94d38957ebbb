import { SeededRandom } from "../../../packages/server/src/memory/seeded-random.ts";
import { drawSizes } from "./size-draw.ts";
import { streamOf } from "./streams.ts";

/** What can go wrong, by name. */
export const FAULTS = [
  "crash",
  "crashAll",
  "powerCut",
  "blackout",
  "stop",
  "isolate",
  "oneWay",
  "split",
  "cutPeers",
  "cutClients",
  "blockClient",
  "slowDisk",
  "hungDisk",
  "failingDisk",
  "wallJump",
  "stopClient",
  "crashClient",
  "restart",
  "wipe",
  "damage",
  "members",
  "bridge",
  "ring",
  "tornFrame",
  "halfOpen",
  "slowLinks",
  "delaySpike",
  "congestion",
  "bitFlip",
  "misdirectedWrite",
  "readError",
  "fullDisk",
  "rot",
  "backup",
  "badSector",
  "cutOffClient",
  "stepCrash",
  "lostTail",
  "oldDisk",
] as const;
export type Fault = (typeof FAULTS)[number];

/** What clients do, by name. */
export const WORKS = ["registers", "counter", "watch", "ephemeral", "sequence"] as const;
/** Beside the others they would take their time: some kinds ask for them, and any run may have one. */
export const MORE_WORKS = ["refusals", "bursts", "election"] as const;
export type WorkName = (typeof WORKS)[number] | (typeof MORE_WORKS)[number];

/** One simulated run: what is in the world, and what happens to it. Everything follows from the seed. */
export interface Profile {
  readonly seed: number;
  readonly kind: Kind;
  /** Nodes that form the ensemble, and nodes that may join it later. */
  readonly nodes: number;
  readonly spares: number;
  readonly clients: number;
  /**
   * The last ones of them only read registers, and watch, once the registers are there: a write under way keeps the later
   * reads of its session waiting. None where no work is about registers.
   */
  readonly readers: number;
  /** What each of the others does. */
  readonly works: readonly WorkName[];
  readonly paths: number;
  /** What is written to registers is up to about so large; 0: no more than its name. */
  readonly valueBytes: number;
  /** Safety phase: faults and load. */
  readonly durationMs: number;
  /** Mean pause of one client between two operations, while clients are neither behind nor ahead of their rate. */
  readonly thinkMs: number;
  /** The rate of answered calls on shared paths that all clients together keep to. 0: none, pauses are as they are. */
  readonly callsPerSecond: number;
  readonly sessionTimeoutMs: number;
  readonly electionTimeoutMs: number;
  readonly heartbeatMs: number;
  /** Delay of a frame: at least, and mean of the rest. */
  readonly delayMinMs: number;
  readonly delayMeanMs: number;
  /** A disk write takes that long on average. */
  readonly diskMeanMs: number;
  /** And anything else that is asked of a disk so long; 0: no time at all. */
  readonly readMs: number;
  /** Those that watch watch parts of the tree as well, in each of the ways there are. */
  readonly hasNarrowWatches: boolean;
  /** Who owns an ephemeral looks after those of others, too, and not only at its own. */
  readonly looksAround: boolean;
  /** What a process had sent when it was killed arrives; otherwise what is on its way goes with it. */
  readonly hasLastWords: boolean;
  /** Each file of a log has so many. */
  readonly segmentBytes: number;
  /** Clock rates differ from 1 by at most this. */
  readonly clockSkewMax: number;
  readonly checkpointBytes: number;
  readonly changeLogCount: number;
  /** One entry in each message, batch and window. */
  readonly isTiny: boolean;
  /** Mean pause between two faults. */
  readonly faultEveryMs: number;
  /** The kinds of this run, each with the same chance. */
  readonly faults: readonly Fault[];
  /** Faults pick the leader with this chance. */
  readonly leaderHunt: number;
  /** The higher a node's number the higher its priority; false: all have the same. */
  readonly isRanked: boolean;
  /** Leaders answer reads on leases. */
  readonly leaseReads: boolean;
  /** Leases and election timeouts are each node's own, as while an ensemble is being changed over. */
  readonly isMixed: boolean;
  /** Log that a node keeps in memory, bytes: what a peer lacks beyond that comes from the disk. */
  readonly memoryLogBytes: number;
  /** Writes of one node's clients that may wait for the log at once; more are refused. */
  readonly pendingMax: number;
  /** What one client may leave unread, bytes; one that leaves more is let go. */
  readonly unreadBytes: number;
  /** Of a checkpoint in one turn. */
  readonly checkpointTurnRecords: number;
  /** Of one piece of a snapshot, and of a backup. */
  readonly snapshotPieceBytes: number;
  /** How often nodes look through what they have stored; 0: never, and then nothing rots. */
  readonly scrubMs: number;
}

/** Kinds of runs, each with what it is after. */
export const KINDS = [
  /** Anything, as drawn. */
  "general",
  /** Whoever leads is struck at once, again and again. */
  "hunter",
  /** Disks that are slow, hang and fail. */
  "slowDisk",
  /** Clocks that differ as much as the margins of sessions and locks allow. */
  "skew",
  /** Members come, go, and lose their data; images instead of logs. */
  "members",
  /** Many clients with short sessions, cut off, stopped and killed. */
  "clients",
  /** Sessions as short as they may be, of clients that come back while the log is slow. */
  "sessions",
  /** One entry at a time through every queue. */
  "tiny",
  /** Links that break, hang, lag and let through one way only. */
  "network",
  /** Disks that forget, mix up and fill up. */
  "corruption",
] as const;
/** One of {@link KINDS}. */
export type Kind = (typeof KINDS)[number];

/** How often each kind comes up of its own accord. */
const WEIGHTS: readonly Kind[] = [
  ...["general", "general", "general", "general"],
  ...["hunter", "hunter", "slowDisk", "skew", "skew", "members", "members", "clients", "tiny"],
  ...["network", "network", "corruption", "sessions"],
] as readonly Kind[];

/** Sets apart what a kind is after; the rest stays as drawn. */
const TRAITS: Readonly<Record<Kind, Partial<Profile>>> = {
  general: {},
  // More clients, that can make up for more: for much of the time nobody serves them.
  hunter: {
    leaderHunt: 0.95,
    clients: 8,
    faultEveryMs: 700,
    faults: ["crash", "powerCut", "blackout", "isolate", "oneWay", "stop", "restart"],
  },
  slowDisk: {
    diskMeanMs: 10,
    faultEveryMs: 1_000,
    faults: [
      ...(["slowDisk", "hungDisk", "failingDisk", "crash", "powerCut", "crashAll"] as const),
      ...(["blackout", "damage", "backup", "stepCrash"] as const),
    ],
  },
  // What a margin is too small by is over in milliseconds: links and disks are fast, and reads many, or none would see it.
  skew: {
    clockSkewMax: 0.02,
    leaseReads: true,
    readers: 2,
    works: [...WORKS, "refusals"],
    paths: 1,
    delayMinMs: 0.05,
    delayMeanMs: 0.1,
    diskMeanMs: 0.2,
    leaderHunt: 0.9,
    faultEveryMs: 700,
    faults: ["stop", "stopClient", "isolate", "isolate", "crash", "wallJump", "cutOffClient"],
  },
  members: {
    spares: 3,
    checkpointBytes: 2_000,
    changeLogCount: 50,
    snapshotPieceBytes: 200,
    faultEveryMs: 700,
    faults: [
      ...(["members", "members", "members", "wipe", "crash", "isolate", "restart"] as const),
      ...(["backup", "stepCrash"] as const),
    ],
  },
  clients: {
    clients: 8,
    works: [...WORKS, "refusals", "bursts"],
    sessionTimeoutMs: 1_000,
    faults: [
      ...(["cutClients", "blockClient", "cutOffClient", "stopClient", "crashClient"] as const),
      ...(["restart", "isolate"] as const),
    ],
  },
  // Every piece of a snapshot is a write: in small ones it takes longer on such a disk than anybody leads.
  sessions: {
    clients: 8,
    works: [...WORKS, "bursts"],
    sessionTimeoutMs: 1_000,
    diskMeanMs: 80,
    snapshotPieceBytes: 65_536,
    faultEveryMs: 600,
    faults: [
      ...(["blockClient", "cutOffClient", "stopClient", "cutClients", "crashClient"] as const),
      ...(["slowDisk", "isolate", "restart"] as const),
    ],
  },
  network: {
    works: [...WORKS, "bursts"],
    faultEveryMs: 800,
    faults: [
      ...(["isolate", "oneWay", "split", "bridge", "ring", "cutPeers", "cutClients"] as const),
      ...(["tornFrame", "halfOpen", "slowLinks", "delaySpike", "congestion", "crash"] as const),
    ],
  },
  corruption: {
    faultEveryMs: 1_500,
    checkpointBytes: 20_000,
    scrubMs: 2_000,
    faults: [
      ...(["damage", "bitFlip", "misdirectedWrite", "readError", "fullDisk", "rot"] as const),
      ...(["badSector", "stepCrash"] as const),
      ...(["badSector", "lostTail", "oldDisk"] as const),
      ...(["failingDisk", "powerCut", "hungDisk", "isolate", "backup"] as const),
    ],
  },
  // One at a time is only as fast as the network: with a slow one nobody who is behind would ever catch up.
  tiny: { isTiny: true, delayMinMs: 0.05, delayMeanMs: 0.1, diskMeanMs: 0.2 },
};

/** Calls on shared paths that the works of one client make in the time of one pause, and those of a reader. */
const CALLS_PER_PAUSE = 6;
const READS_PER_PAUSE = 8;
/** Parts of the runs. */
const MIXED_PART = 0.2;
const MORE_WORKS_PART = 0.15;
const NARROW_WATCHES_PART = 0.5;
const LOOKING_AROUND_PART = 0.5;
const LAST_WORDS_PART = 0.5;
/** Above what makes time count (`totals.ts`), and not by much: it costs time in which less can go wrong. */
const CALLS_PER_SECOND = [38, 38, 38, 38, 40, 50, 80] as const;

/**
 * A run's parameters (swarm testing: every run leaves out some kinds of faults, or what they do would hide the rest).
 * `kind` null: one that follows from the seed.
 */
export function drawProfile(seed: number, kind: Kind | null = null): Profile {
  const random = new SeededRandom(seed);
  const pick = <T>(...choices: readonly [T, ...T[]]): T =>
    choices[random.nextBelow(choices.length)] ?? choices[0];
  // Of a stream of their own: one kind more moves nothing else that is drawn.
  const chances = streamOf(seed, "kinds of faults");
  const faults = FAULTS.filter((fault) => fault !== "rot" && chances.nextFraction() < 0.4);
  const drawn = kind ?? WEIGHTS[random.nextBelow(WEIGHTS.length)] ?? "general";
  const clients = TRAITS[drawn].clients ?? pick(3, 5, 5, 7);
  const readers = TRAITS[drawn].readers ?? pick(0, 0, 1, 2);
  const callsPerSecond = pick(...CALLS_PER_SECOND);
  const callsPerPause = CALLS_PER_PAUSE * (clients - readers) + READS_PER_PAUSE * readers;
  const profile: Profile = {
    seed,
    kind: drawn,
    nodes: pick(3, 3, 3, 5),
    spares: pick(1, 2, 3),
    clients,
    readers,
    works: WORKS,
    paths: pick(1, 2, 4),
    valueBytes: 0,
    durationMs: pick(30_000, 60_000),
    thinkMs: (1_000 * callsPerPause) / callsPerSecond,
    callsPerSecond,
    sessionTimeoutMs: pick(1_000, 2_000, 4_000),
    electionTimeoutMs: pick(300, 600),
    heartbeatMs: pick(60, 100, 100),
    delayMinMs: pick(0.05, 0.5, 2),
    delayMeanMs: pick(0.1, 1, 8),
    diskMeanMs: pick(0.2, 1, 5),
    clockSkewMax: pick(0, 0.001, 0.01),
    checkpointBytes: pick(2_000, 20_000, 200_000),
    changeLogCount: pick(50, 500, 100_000),
    isTiny: false,
    faultEveryMs: pick(500, 1_500, 4_000),
    faults: faults.length === 0 ? ["crash"] : faults,
    leaderHunt: pick(0.2, 0.5, 0.9),
    leaseReads: pick(false, false, true),
    memoryLogBytes: pick(2_000, 50_000, 67_108_864),
    pendingMax: pick(4, 65_536, 65_536),
    unreadBytes: pick(20_000, 16_777_216, 16_777_216),
    scrubMs: pick(0, 0, 2_000),
    checkpointTurnRecords: pick(5, 30, 8_192),
    snapshotPieceBytes: pick(200, 2_000, 65_536),
    isRanked: pick(false, false, true),
    hasNarrowWatches: streamOf(seed, "narrow watches").nextFraction() < NARROW_WATCHES_PART,
    looksAround: streamOf(seed, "looks around").nextFraction() < LOOKING_AROUND_PART,
    hasLastWords: streamOf(seed, "last words").nextFraction() < LAST_WORDS_PART,
    readMs: 0,
    segmentBytes: 65_536,
    isMixed: streamOf(seed, "mixed settings").nextFraction() < MIXED_PART,
    ...TRAITS[drawn],
  };
  const rots = drawn === "general" && profile.scrubMs > 0;
  return {
    ...profile,
    works: [...profile.works, ...moreWorks(seed, profile.works)],
    ...drawSizes(profile),
    ...(rots && { faults: [...profile.faults, "rot"] }),
  };
}

function moreWorks(seed: number, works: readonly WorkName[]): readonly WorkName[] {
  const chances = streamOf(seed, "more works");
  return MORE_WORKS.filter(
    (work) => chances.nextFraction() < MORE_WORKS_PART && !works.includes(work),
  );
}
