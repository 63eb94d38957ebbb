import type { OperationKind } from "./protocol.ts";
import type { Tuning } from "./systems/system.ts";

/** The same operation over and over, by many sessions. */
export interface LoadWorkload {
  readonly kind: "load";
  readonly id: string;
  readonly operation: OperationKind;
  readonly sessions: number;
  /** Outstanding at each session. */
  readonly depth: number;
  readonly paths: number;
  readonly bytes: number;
  /** 0: closed loop. */
  readonly ratePerSecond: number;
  readonly nodes: number;
}

/** The leader fails while two clients write. */
export interface FailoverWorkload {
  readonly kind: "failover";
  readonly id: string;
  readonly signal: "SIGKILL" | "SIGSTOP";
  readonly tuning: Tuning;
  readonly times: number;
}

/** One write that many wait for. */
export interface FanoutWorkload {
  readonly kind: "fanout";
  readonly id: string;
  readonly sessions: number;
  readonly watchers: number;
  readonly writes: number;
  readonly bytes: number;
}

/** Many idle sessions with an ephemeral each, and their sudden end. */
export interface SessionsWorkload {
  readonly kind: "sessions";
  readonly id: string;
  readonly sessions: number;
  /** Longer than elsewhere: with so many on one small machine, heartbeats of the peers' sessions come too late for the usual one. */
  readonly timeoutMs: number;
  readonly drivers: number;
  readonly idleMs: number;
}

/** A large tree: loading it, and what it costs to hold and to start with. */
export interface BulkWorkload {
  readonly kind: "bulk";
  readonly id: string;
  readonly znodes: number;
  readonly bytes: number;
  readonly outstanding: number;
  /** Between the end of the load and the look at memory and disk. */
  readonly settleMs: number;
}

/** Sets on a large tree for a long time. */
export interface GapWorkload {
  readonly kind: "gap";
  readonly id: string;
  readonly znodes: number;
  readonly bytes: number;
  readonly measureMs: number;
}

export type Workload =
  | LoadWorkload
  | FailoverWorkload
  | FanoutWorkload
  | SessionsWorkload
  | BulkWorkload
  | GapWorkload;

const MILLION = 1_000_000;

const USUAL = { paths: 10_000, bytes: 128, ratePerSecond: 0, nodes: 3 };

/** Everything that can be measured, in the order in which it is. */
export const WORKLOADS: readonly Workload[] = [
  load("set-1x1", "set", 1, 1),
  load("set-16x1", "set", 16, 1),
  load("set-64x4", "set", 64, 4),
  load("set-64x16", "set", 64, 16),
  { ...load("set-1k-64x4", "set", 64, 4), bytes: 1024 },
  { ...load("set-16k-64x4", "set", 64, 4), bytes: 16 * 1024 },
  load("create-seq-64x4", "create-sequential", 64, 4),
  load("get-lin-1x1", "get-linearizable", 1, 1),
  load("get-lin-64x4", "get-linearizable", 64, 4),
  load("get-local-64x4", "get-local", 64, 4),
  load("get-local-64x16", "get-local", 64, 16),
  load("mix-64x4", "mix", 64, 4),
  { ...load("open-500", "set", 64, 1), ratePerSecond: 500 },
  { ...load("open-2000", "set", 64, 1), ratePerSecond: 2000 },
  { ...load("open-8000", "set", 64, 1), ratePerSecond: 8000 },
  load("lock-50", "lock", 50, 1),
  { ...load("nodes-5", "set", 64, 16), nodes: 5 },
  { kind: "fanout", id: "fanout-5000", sessions: 500, watchers: 5000, writes: 20, bytes: 128 },
  {
    kind: "sessions",
    id: "sessions-10k",
    sessions: 10_000,
    timeoutMs: 30_000,
    drivers: 4,
    idleMs: 30_000,
  },
  failover("failover-kill", "SIGKILL", "default"),
  failover("failover-stop", "SIGSTOP", "default"),
  failover("failover-kill-equal", "SIGKILL", "equal-elections"),
  failover("failover-stop-equal", "SIGSTOP", "equal-elections"),
  {
    kind: "bulk",
    id: "bulk-1m",
    znodes: MILLION,
    bytes: 100,
    outstanding: 1024,
    settleMs: 10_000,
  },
  { kind: "gap", id: "gap-1m", znodes: MILLION, bytes: 100, measureMs: 120_000 },
];

function load(id: string, operation: OperationKind, sessions: number, depth: number): LoadWorkload {
  const kind = "load";
  return { kind, id, operation, sessions, depth, ...USUAL };
}

function failover(
  id: string,
  signal: FailoverWorkload["signal"],
  tuning: Tuning,
): FailoverWorkload {
  return { kind: "failover", id, signal, tuning, times: 10 };
}
