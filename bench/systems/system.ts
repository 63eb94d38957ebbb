/** What to run as a process. */
export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Where one node lives. Addresses are `host:port` of the loopback. */
export interface NodeSite {
  /** From 1. */
  readonly number: number;
  readonly directory: string;
  readonly clientAddress: string;
  readonly peerAddress: string;
  /** A further address between nodes, for systems that need one. */
  readonly electionAddress: string;
}

/**
 * `default`: as the system comes. `equal-elections`: a follower gives a silent leader up after one second, whatever the
 * system's own default.
 */
export type Tuning = "default" | "equal-elections";

/** Where an ensemble lives, and how it is set. */
export interface EnsembleSite {
  readonly nodes: readonly NodeSite[];
  readonly tuning: Tuning;
  /** The runtime writes its garbage collections into the node's log. */
  readonly isGcLogged: boolean;
}

/** One garbage collection: how long it kept the program from running. */
export interface GcPause {
  /** In one piece. */
  readonly longestMs: number;
  readonly totalMs: number;
}

/** What a node says of itself. */
export interface NodeProbe {
  /** It serves linearizable requests. */
  readonly isReady: boolean;
  readonly isLeader: boolean;
}

/** A coordination service that can be measured: how it is installed, started, asked and driven. */
export interface System {
  readonly name: string;
  /** Settings that are not the system's defaults, and heap sizes; for the report. */
  readonly settings: string;
  /** Ids of the workloads it takes part in; null: all. */
  readonly workloads: ReadonlySet<string> | null;
  /** At most this many driver processes share a load. */
  readonly driverProcessesMax: number;
  /** What is not installed and the command that installs it; null when nothing is missing. */
  missing(): string | null;
  version(): string;
  /** Builds the driver; called once before the first `driver`. */
  build(directory: string): Promise<void>;
  /** A process that speaks `protocol.ts`. */
  driver(): Command;
  /** How a node is started, now or again; writes what configuration it needs. Its folder exists. */
  server(site: EnsembleSite, node: NodeSite): Command;
  /** Null when the node does not answer in time. */
  probe(node: NodeSite): Promise<NodeProbe | null>;
  /** What a piece of a node's log tells of garbage collections, where they are logged. */
  gcPauses(log: string): readonly GcPause[];
}

/** As many as a small machine has any use for. */
export const DRIVER_PROCESSES_MAX = 4;
