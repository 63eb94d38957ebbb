import type { Role } from "@quorate/raft";
import { Counter, Gauge, Registry } from "prom-client";
import { COUNT_BOUNDS, Histogram, LATENCY_BOUNDS_MS } from "./histogram.ts";
import { UNDER_WAY_HELP, type UnderWay } from "./under-way.ts";

/** Running totals; the loop adds to them as to any number. */
export interface Counters {
  /** Turns of the node loop. */
  turns: number;
  entriesApplied: number;
  /** Commands this node took from its clients. */
  proposals: number;
  /** Commands refused before the log. */
  proposalsRefused: number;
  walWrites: number;
  leaderChanges: number;
  elections: number;
  reads: number;
  linearizableReads: number;
  events: number;
  eventsLost: number;
  sessionsOpened: number;
  sessionsExpired: number;
  clientFramesIn: number;
  clientFramesOut: number;
  clientBytesIn: number;
  clientBytesOut: number;
  clientsRefused: number;
  slowConsumers: number;
  peerFramesIn: number;
  peerFramesOut: number;
  peerBytesIn: number;
  peerBytesOut: number;
  /** Messages to peers given up because a link was down or full. */
  peerDrops: number;
  snapshotsSent: number;
  snapshotsReceived: number;
  checkpoints: number;
  imageRenewals: number;
  /** Looks through log and image that found nothing. */
  scrubs: number;
  scrubbedBytes: number;
  digestMismatches: number;
  /** Stalls of the loop that were noticed. */
  stalls: number;
}

/** Everything that is read at the moment somebody asks. */
export interface Gauges extends UnderWay {
  readonly term: number;
  readonly role: Role;
  /** 1 while a leader is known. */
  readonly hasLeader: boolean;
  /** 1 while this node answers linearizable reads on a lease. */
  readonly hasLease: boolean;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly zxid: number;
  readonly sessions: number;
  readonly znodes: number;
  readonly treeBytes: number;
  readonly watches: number;
  readonly connections: number;
  readonly walBytes: number;
  readonly diskFreeBytes: number;
  readonly peersConnected: number;
  readonly logLinesDropped: number;
}

/** Where gauges come from. */
export type MetricsSource = () => Gauges;

/** State of the process, sampled by a `RuntimeMonitor`. */
export interface RuntimeGauges {
  readonly loopDelayP50Ms: number;
  readonly loopDelayP99Ms: number;
  readonly loopDelayMaxMs: number;
  readonly gcCount: number;
  readonly gcTotalMs: number;
  readonly heapUsedBytes: number;
  readonly residentBytes: number;
}

/** What {@link Metrics} needs. */
export interface MetricsOptions {
  /** Label of every value, so that several servers of one process stay apart. */
  readonly node: string;
  readonly version: string;
  readonly gauges: MetricsSource;
  /** Null where the process is not this server's own affair. */
  readonly runtime: (() => RuntimeGauges) | null;
}

const COUNTER_HELP: Readonly<Record<keyof Counters, string>> = {
  turns: "Turns of the node loop",
  entriesApplied: "Log entries applied",
  proposals: "Commands taken from clients of this node",
  proposalsRefused: "Commands refused before the log",
  walWrites: "Durable writes of the log",
  leaderChanges: "Changes of the known leader",
  elections: "Campaigns started by this node",
  reads: "Reads answered",
  linearizableReads: "Linearizable reads answered",
  events: "Watch events delivered",
  eventsLost: "Watches told that events were missed",
  sessionsOpened: "Sessions opened",
  sessionsExpired: "Sessions expired",
  clientFramesIn: "Frames received from clients",
  clientFramesOut: "Frames sent to clients",
  clientBytesIn: "Bytes received from clients",
  clientBytesOut: "Bytes sent to clients",
  clientsRefused: "Client connections refused",
  slowConsumers: "Clients disconnected because they did not read",
  peerFramesIn: "Frames received from peers",
  peerFramesOut: "Frames sent to peers",
  peerBytesIn: "Bytes received from peers",
  peerBytesOut: "Bytes sent to peers",
  peerDrops: "Messages to peers given up because a link was down or full",
  snapshotsSent: "Snapshots sent to peers",
  snapshotsReceived: "Snapshots installed from peers",
  checkpoints: "Checkpoints of the image",
  imageRenewals: "Damaged images that were written anew from memory",
  scrubs: "Looks through log and image that found them whole",
  scrubbedBytes: "Bytes of log and image that were read to look for damage",
  digestMismatches: "Comparisons of digests between replicas that failed",
  stalls: "Stalls of the process that were noticed",
};

const GAUGE_HELP: Readonly<Record<Exclude<keyof Gauges, "role">, string>> = {
  term: "Raft term",
  hasLeader: "1 while a leader is known",
  hasLease: "1 while this node leads and answers linearizable reads on a lease",
  commitIndex: "Highest log index known to be committed",
  appliedIndex: "Highest log index applied",
  zxid: "Revision of the tree",
  sessions: "Live sessions of the ensemble",
  znodes: "Znodes in the tree",
  treeBytes: "Size of the tree as its limit counts it",
  watches: "Watches served by this node",
  connections: "Client connections of this node",
  ...UNDER_WAY_HELP,
  walBytes: "Size of the log on disk",
  diskFreeBytes: "Free bytes of the data directory's file system",
  peersConnected: "Peers this node has a link to",
  logLinesDropped: "Log lines dropped because the log's reader did not keep up",
};

const RUNTIME_HELP: Readonly<Record<keyof RuntimeGauges, string>> = {
  loopDelayP50Ms: "Median delay of the event loop since the last scrape",
  loopDelayP99Ms: "99th percentile of the delay of the event loop since the last scrape",
  loopDelayMaxMs: "Longest delay of the event loop since the last scrape",
  gcCount: "Garbage collections",
  gcTotalMs: "Time spent in garbage collection",
  heapUsedBytes: "Heap in use",
  residentBytes: "Resident memory",
};

const ROLES: readonly Role[] = ["follower", "preCandidate", "candidate", "leader"];

function keysOf<T extends Readonly<Record<string, string>>>(
  record: T,
): readonly Extract<keyof T, string>[] {
  const keys: Extract<keyof T, string>[] = [];
  for (const key in record) keys.push(key);
  return keys;
}

/** A set of counters at 0. */
export function zeroCounters(): Counters {
  return {
    turns: 0,
    entriesApplied: 0,
    proposals: 0,
    proposalsRefused: 0,
    walWrites: 0,
    leaderChanges: 0,
    elections: 0,
    reads: 0,
    linearizableReads: 0,
    events: 0,
    eventsLost: 0,
    sessionsOpened: 0,
    sessionsExpired: 0,
    clientFramesIn: 0,
    clientFramesOut: 0,
    clientBytesIn: 0,
    clientBytesOut: 0,
    clientsRefused: 0,
    slowConsumers: 0,
    peerFramesIn: 0,
    peerFramesOut: 0,
    peerBytesIn: 0,
    peerBytesOut: 0,
    peerDrops: 0,
    snapshotsSent: 0,
    snapshotsReceived: 0,
    checkpoints: 0,
    imageRenewals: 0,
    scrubs: 0,
    scrubbedBytes: 0,
    digestMismatches: 0,
    stalls: 0,
  };
}

/**
 * The numbers of one server. Counting is adding to a field of {@link counters} or a call of `observe`; everything that
 * costs happens when somebody scrapes. Each instance has a registry of its own.
 */
export class Metrics {
  readonly counters: Counters = zeroCounters();
  /** One durable write of the log, ms. */
  readonly walWriteMs: Histogram;
  /** From a command's proposal to its application on the node that proposed it, ms. */
  readonly commitMs: Histogram;
  /** Entries applied in one go. */
  readonly applyBatch: Histogram;
  readonly #registry = new Registry();

  constructor(options: MetricsOptions) {
    this.#registry.setDefaultLabels({ node: options.node });
    const labels = `node="${escapeLabel(options.node)}"`;
    const latency = { bounds: LATENCY_BOUNDS_MS, scale: 0.001, labels };
    this.walWriteMs = new Histogram({
      ...latency,
      name: "quorate_wal_write_seconds",
      help: "Duration of one durable write of the log",
    });
    this.commitMs = new Histogram({
      ...latency,
      name: "quorate_commit_seconds",
      help: "Time from proposal to application on the proposing node",
    });
    this.applyBatch = new Histogram({
      name: "quorate_apply_batch_entries",
      help: "Log entries applied in one go",
      bounds: COUNT_BOUNDS,
      scale: 1,
      labels,
    });
    this.#registerCounters();
    this.#registerGauges(options.gauges);
    if (options.runtime !== null) this.#registerRuntime(options.runtime);
    this.#registerVersion(options.version);
  }

  /** Text exposition of everything. */
  async expose(): Promise<string> {
    const text = await this.#registry.metrics();
    return text + this.walWriteMs.expose() + this.commitMs.expose() + this.applyBatch.expose();
  }

  #registerCounters(): void {
    const counters = this.counters;
    for (const key of keysOf(COUNTER_HELP)) {
      const name = `quorate_${snakeCase(key)}_total`;
      const counter = new Counter({
        name,
        help: COUNTER_HELP[key],
        registers: [this.#registry],
        collect() {
          this.reset();
          this.inc(counters[key]);
        },
      });
      counter.inc(0);
    }
  }

  /** The source is asked once a scrape: by the gauge registered first, which is collected before the others are read. */
  #registerGauges(source: MetricsSource): void {
    const gauges = new Map<Exclude<keyof Gauges, "role">, Gauge>();
    for (const key of keysOf(GAUGE_HELP)) {
      if (key === "term") continue;
      gauges.set(key, this.#gauge(key, GAUGE_HELP[key]));
    }
    const role = new Gauge({
      name: "quorate_role",
      help: "1 for the role this node has",
      labelNames: ["role"],
      registers: [],
    });
    const term = new Gauge({
      name: "quorate_term",
      help: GAUGE_HELP.term,
      registers: [],
      collect() {
        const values = source();
        this.set(values.term);
        for (const [key, gauge] of gauges) gauge.set(Number(values[key]));
        for (const each of ROLES) role.set({ role: each }, each === values.role ? 1 : 0);
      },
    });
    this.#registry.registerMetric(term);
    this.#registry.registerMetric(role);
    for (const gauge of gauges.values()) this.#registry.registerMetric(gauge);
  }

  #registerRuntime(source: () => RuntimeGauges): void {
    const gauges = keysOf(RUNTIME_HELP).map(
      (key) => [key, this.#gauge(key, RUNTIME_HELP[key])] as const,
    );
    const uptime = new Gauge({
      name: "quorate_process_uptime_seconds",
      help: "Age of the process",
      registers: [],
      collect() {
        this.set(process.uptime());
        const values = source();
        for (const [key, gauge] of gauges) gauge.set(values[key]);
      },
    });
    this.#registry.registerMetric(uptime);
    for (const [, gauge] of gauges) this.#registry.registerMetric(gauge);
  }

  #registerVersion(version: string): void {
    const info = this.#gauge("info", "1, with the server's version as label", ["version"]);
    info.set({ version }, 1);
    this.#registry.registerMetric(info);
  }

  #gauge(key: string, help: string, labelNames: string[] = []): Gauge {
    return new Gauge({ name: `quorate_${snakeCase(key)}`, help, labelNames, registers: [] });
  }
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`);
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
