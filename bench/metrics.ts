/** What a figure means and which direction is good. */
export interface Metric {
  readonly unit: string;
  readonly better: "higher" | "lower";
  /** Of single operations: without bound where they come faster than they are answered. */
  readonly isLatency?: true;
}

export type MetricName =
  | "throughput"
  | "per server CPU second"
  | "p50"
  | "p99"
  | "p99.9"
  | "last delivery"
  | "gap, leader's client"
  | "gap, follower's client"
  | "longest gap"
  | "longest GC pause"
  | "GC pauses in all"
  | "load rate"
  | "memory per server"
  | "disk per server"
  | "restart to first read"
  | "connect all"
  | "idle CPU of all servers"
  | "ephemerals gone after timeout";

/** All metrics by name. */
export const METRICS: Readonly<Record<MetricName, Metric>> = {
  throughput: { unit: "ops/s", better: "higher" },
  "per server CPU second": { unit: "ops/CPU s", better: "higher" },
  p50: { unit: "ms", better: "lower", isLatency: true },
  p99: { unit: "ms", better: "lower", isLatency: true },
  "p99.9": { unit: "ms", better: "lower", isLatency: true },
  "last delivery": { unit: "ms", better: "lower" },
  "gap, leader's client": { unit: "ms", better: "lower" },
  "gap, follower's client": { unit: "ms", better: "lower" },
  "longest gap": { unit: "ms", better: "lower" },
  "longest GC pause": { unit: "ms", better: "lower" },
  "GC pauses in all": { unit: "ms", better: "lower" },
  "load rate": { unit: "znodes/s", better: "higher" },
  "memory per server": { unit: "MiB", better: "lower" },
  "disk per server": { unit: "MiB", better: "lower" },
  "restart to first read": { unit: "ms", better: "lower" },
  "connect all": { unit: "ms", better: "lower" },
  "idle CPU of all servers": { unit: "% of a core", better: "lower" },
  "ephemerals gone after timeout": { unit: "ms", better: "lower" },
};
