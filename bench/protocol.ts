import type { Buckets } from "./histogram.ts";

/**
 * What the harness and a driver say to each other, one JSON object per line: orders on the driver's standard input,
 * answers `{ id, result }` or `{ id, error }` and events `{ id, event }` on its standard output. Orders are obeyed one
 * after the other. All drivers, whatever their language, understand the same orders, so that all systems do the same.
 */
export type Order =
  | ConnectOrder
  | FillOrder
  | RunOrder
  | { readonly command: "acknowledged" }
  | ReadOrder
  | { readonly command: "children"; readonly directory: string }
  | WritersOrder
  | { readonly command: "writers-mark" }
  | { readonly command: "writers-silence" }
  | { readonly command: "writers-stop" }
  | FanoutOrder
  | EphemeralsOrder;

/** Opens one session for every entry of `servers`, each to that server alone. */
export interface ConnectOrder {
  readonly command: "connect";
  readonly servers: readonly string[];
  readonly sessionTimeoutMs: number;
}

/** Creates `directory` unless it is there, and in it `item-0000000` … of the indexes from `from` to below `to`. */
export interface FillOrder {
  readonly command: "fill";
  readonly directory: string;
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
  /** Creates under way at a time, over all sessions. */
  readonly outstanding: number;
}

/** What a session does over and over. */
export type OperationKind =
  | "set"
  | "get-linearizable"
  | "get-local"
  /** Nine `get-linearizable` to one `set`, by lot. */
  | "mix"
  /** Creates an ephemeral sequential znode in `directory` and deletes it. */
  | "create-sequential"
  /** Acquires and releases the lock `directory`/lock. */
  | "lock";

/** The measured part of a workload. The driver tells by events when measuring begins and ends. */
export interface RunOrder {
  readonly command: "run";
  readonly directory: string;
  readonly operation: OperationKind;
  /** Operations outstanding at every session; of no meaning in an open loop. */
  readonly depth: number;
  readonly paths: number;
  readonly bytes: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** 0: closed loop. Else operations are started at this rate, and latency counts from when each was due. */
  readonly ratePerSecond: number;
}

/** Reads paths of `directory`, linearizable. */
export interface ReadOrder {
  readonly command: "read";
  readonly directory: string;
  readonly indexes: readonly number[];
}

/**
 * Opens one session per entry of `preferred` that knows all `servers`, is attached to the preferred one, and writes to a
 * path of its own in `directory`, one write after the other, until `writers-stop`; again after an error, with a new
 * session if the old one has ended.
 */
export interface WritersOrder {
  readonly command: "writers-start";
  readonly directory: string;
  readonly servers: readonly string[];
  readonly preferred: readonly string[];
  readonly sessionTimeoutMs: number;
}

/**
 * `watchers` watches of one znode, the first path of `directory`, evenly over all sessions; the znode is set `rounds`
 * times by a session more.
 */
export interface FanoutOrder {
  readonly command: "fanout";
  readonly directory: string;
  readonly watchers: number;
  readonly rounds: number;
  readonly bytes: number;
}

/** Every session creates an ephemeral in `directory`, named by its number from `from` on. */
export interface EphemeralsOrder {
  readonly command: "ephemerals";
  readonly directory: string;
  readonly from: number;
}

/** Path index, revision and CRC-32 of a value. Of an acknowledged one, revision 0: not known. */
export type ValueMark = readonly [index: number, revision: number, crc: number];

export interface RunResult {
  /** Operations that ended well while measuring. */
  readonly count: number;
  /** Operations that failed, warm-up included. */
  readonly errors: number;
  readonly firstError: string | null;
  readonly elapsedMs: number;
  /** Longest time between two acknowledged writes while measuring. */
  readonly longestGapMs: number;
  readonly histogram: Buckets;
}

/** What each order is answered with. */
export interface Results {
  readonly connect: object;
  /** `crcs`: CRC-32 of the values that were used in turn: that of index `i` is the one at `i` modulo their number. */
  readonly fill: { readonly elapsedMs: number; readonly crcs: readonly number[] };
  readonly run: RunResult;
  readonly acknowledged: { readonly values: readonly ValueMark[] };
  readonly read: { readonly values: readonly ValueMark[] };
  readonly children: { readonly count: number };
  readonly "writers-start": object;
  readonly "writers-mark": object;
  /** Of each writer, ms since its last acknowledged write. */
  readonly "writers-silence": { readonly silentMs: readonly number[] };
  /** Of each writer, ms: longest time between two acknowledged writes of which the later came after the mark. */
  readonly "writers-stop": {
    readonly gapsMs: readonly number[];
    /** Of each writer's last acknowledged write. */
    readonly revisions: readonly number[];
    readonly writes: number;
  };
  readonly ephemerals: object;
  readonly fanout: {
    /** Of each round, ms from the write's start to the last delivery. */
    readonly lastMs: readonly number[];
    /** The last acknowledged value. */
    readonly acknowledged: ValueMark;
  };
}

/** What a driver tells while it obeys `run`. */
export type DriverEvent = "measuring" | "measured";

/** Name of a path of `directory`. */
export function itemPath(directory: string, index: number): string {
  return `${directory}/item-${String(index).padStart(7, "0")}`;
}
