import type { LeaseConfig, NodeId, RaftConfig } from "@quorate/raft";
import type { ServerConfig } from "./config.ts";

/** A lease lasts this much of the promises it rests on: safe while no clock's rate is off by more than a tenth. */
const LEASE_SHARE = 0.8;

/** What the core is told: limits as configured, times in ticks, and a seed that no other node has. */
export function coreSettings(config: ServerConfig, id: NodeId, nonce: number): RaftConfig {
  const { tickMs, heartbeatMs, electionTimeoutMs } = config.timing;
  return {
    ...config.limits.raft,
    id,
    heartbeatTicks: heartbeatMs / tickMs,
    electionTicks: electionTimeoutMs / tickMs,
    lease: config.leaseReads ? leaseOf(electionTimeoutMs) : null,
    seed: nonce % 0xffff_ffff,
  };
}

/** Followers promise for one election timeout. */
export function leaseOf(electionTimeoutMs: number): LeaseConfig {
  const durationMs = Math.floor(LEASE_SHARE * electionTimeoutMs);
  return { promiseMs: electionTimeoutMs, durationMs };
}
