import type { DataTree } from "@quorate/kv-store";
import { PROTOCOL_LIMITS } from "@quorate/kv-store/protocol";
import type { SessionConfig } from "../config.ts";
import type { Liveness } from "../liveness.ts";
import type { Counters } from "../observe/metrics.ts";
import type { MonotonicClock } from "../ports.ts";
import type { Proposals } from "../proposals.ts";
import type { ReadIndexes } from "../reads.ts";
import type { ConnectionCounters } from "./client-connection.ts";
import type { WatchLimits } from "./client-watches.ts";
import type { OutboxLimits } from "./outbox.ts";

/** Who this node is, as it tells clients. */
export interface GatewayIdentity {
  readonly nodeId: number;
  readonly name: string;
  readonly clusterId: string;
  readonly historyId: string;
  /** Client addresses of all members, current. */
  servers(): readonly string[];
}

/** Totals that a gateway adds to. */
export type GatewayCounters = ConnectionCounters &
  Pick<Counters, "proposals" | "reads" | "sessionsOpened" | "sessionsExpired">;

/** Timeouts of sessions, as the protocol bounds them. */
export const PROTOCOL_SESSIONS: SessionConfig = {
  timeoutMinMs: PROTOCOL_LIMITS.sessionTimeoutMinMs,
  timeoutMaxMs: PROTOCOL_LIMITS.sessionTimeoutMaxMs,
};

export interface GatewayOptions {
  readonly identity: GatewayIdentity;
  readonly outboxLimits: OutboxLimits;
  /** Bounds that the timeouts clients ask for are brought into. Default: the protocol's. */
  readonly sessions?: SessionConfig;
  /** Of the largest command that the log takes: a larger write is refused here, where its client can be told. */
  readonly commandBytesMax: number;
  /** Bytes that all clients together may leave unread. Default: no bound. */
  readonly unreadBytesMax?: number;
  readonly watchLimits: WatchLimits;
  /** Totals to add to. Default: nobody looks at them. */
  readonly counters?: GatewayCounters;
  readonly clock: MonotonicClock;
  readonly proposals: Proposals;
  readonly reads: ReadIndexes;
  readonly liveness: Liveness;
  /** The tree in force; a snapshot install replaces it. */
  tree(): DataTree;
  appliedIndex(): number;
  /** Makes sure that a turn follows. */
  wake(): void;
}
