import type { NodeId, RaftConfig } from "@quorate/raft";
import type { ServerConfig } from "./config.ts";

/** What the core is told: limits as configured, times in ticks, and a seed that no other node has. */
export function coreSettings(config: ServerConfig, id: NodeId, nonce: number): RaftConfig {
  const { tickMs, heartbeatMs, electionTimeoutMs } = config.timing;
  return {
    ...config.limits.raft,
    id,
    heartbeatTicks: heartbeatMs / tickMs,
    electionTicks: electionTimeoutMs / tickMs,
    seed: nonce % 0xffff_ffff,
  };
}
