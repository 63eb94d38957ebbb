import type { Member, NodeId } from "@quorate/raft";
import type { ServerConfig } from "./config.ts";
import type { DiskReserve } from "./disk-reserve.ts";
import type { ServerError } from "./errors.ts";
import type { Acquaintances } from "./membership/acquaintances.ts";
import type { Belonging } from "./membership/admission.ts";
import type { OpenedStorage } from "./node-storage.ts";
import type { Logger } from "./observe/logger.ts";
import type { Metrics } from "./observe/metrics.ts";
import type { PeerEnvelope } from "./peer/envelope.ts";
import type { PeerTarget } from "./peer/peer-network.ts";
import type { ServerPorts } from "./ports.ts";
import type { CoreRecorder } from "./trace/recorded-core.ts";

/** The way to the peers, as a node uses it. */
export interface NodePeers {
  /** What waits to leave. */
  bufferedBytes(): number;
  /** There is a link to it. */
  isUp(to: NodeId): boolean;
  /** False: the link is down or full, and nothing was taken. */
  send(to: NodeId, envelope: PeerEnvelope): boolean;
  /** Lets what was sent in this turn leave. */
  flush(): void;
  /** Keeps a link to each of these and to nobody else. */
  setTargets(targets: readonly PeerTarget[]): void;
}

export interface RunningNodeOptions {
  readonly config: ServerConfig;
  readonly ports: ServerPorts;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly self: Member;
  readonly belonging: Belonging;
  readonly opened: OpenedStorage;
  readonly reserve: DiskReserve;
  /** Told everything that happens to the core; null: what the configuration says. */
  readonly recorder: CoreRecorder | null;
  readonly peers: NodePeers;
  readonly acquaintances: Acquaintances;
  /** As a peer said it; 0 for whoever has not. */
  priorityOf(id: NodeId): number;
  /** The node cannot go on; called once. */
  readonly onFatal: (error: unknown) => void;
  /** What it has stored is damaged. It works on until it is stopped. */
  readonly onDamage: (error: ServerError) => void;
}
