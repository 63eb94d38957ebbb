import type { InstallSnapshot, LogIndex, Message, NodeId, SnapshotMeta } from "@quorate/raft";
import type { TimingConfig } from "../config.ts";
import type { DiskRoom } from "../disk-watch.ts";
import type { JoinRequest } from "../membership/join-request.ts";
import type { ReplicatedLimits } from "../replicated-limits.ts";

/** Version of the peer wire protocol; another one is refused at the hello. History: 1 = first. */
export const PEER_PROTOCOL_VERSION = 1;

/** First on every link, from the dialling side. Everything about who is speaking. */
export interface PeerHello {
  readonly kind: "hello";
  readonly protocolVersion: number;
  /** "" while the ensemble is being formed. */
  readonly clusterId: string;
  readonly historyId: string;
  readonly nodeId: NodeId;
  readonly name: string;
  /** The dialling side's own listeners, as its configuration names them. */
  readonly peerAddress: string;
  readonly clientAddress: string;
  /** Names of the configured initial members, sorted: a forming ensemble must agree on them. */
  readonly initialMembers: readonly string[];
  /** Bounds that decide what a command does: nodes that differ in them would end up in different states. */
  readonly limits: ReplicatedLimits;
  /** A node that waits for less than a few heartbeats of another campaigns against it for ever. */
  readonly timing: HeartbeatTiming;
  /** Names the connection among those of this pair; a later one replaces an earlier one. */
  readonly linkNonce: number;
  readonly entrance: Entrance;
  /** Whoever has more of it than others ends up leading. */
  readonly priority: number;
  /** Up to where the node has applied the log; null if it was never seen among the members. */
  readonly appliedIndex: number | null;
}

/**
 * What a node without data wants: be one of the founding members, be taken in as a new one, or be taken in under its old
 * name after its data was lost.
 */
export type Entrance = "member" | "join" | "rejoin";

/** The part of the timing that must fit together between nodes. */
export type HeartbeatTiming = Pick<TimingConfig, "heartbeatMs" | "electionTimeoutMs">;

/** Answer to a hello. After `refused` the link closes. */
export type PeerWelcome =
  | {
      readonly kind: "welcome";
      readonly protocolVersion: number;
      readonly clusterId: string;
      readonly historyId: string;
      readonly nodeId: NodeId;
      readonly name: string;
      readonly peerAddress: string;
      readonly clientAddress: string;
      /** The formation's membership for a side that has not been formed yet; null while this side is not formed either. */
      readonly formation: SnapshotMeta | null;
    }
  | {
      readonly kind: "refused";
      readonly protocolVersion: number;
      readonly code: PeerRefusal;
      readonly message: string;
    };

/** Why a hello is refused. */
export type PeerRefusal =
  | "UNSUPPORTED_VERSION"
  | "OTHER_CLUSTER"
  | "OTHER_HISTORY"
  /** This name belongs to another identity: the node lost its data or is a copy. */
  | "IDENTITY_REFUSED"
  | "MEMBERSHIP_MISMATCH"
  | "LIMITS_MISMATCH"
  | "NOT_A_MEMBER"
  /** The node was a member, and is none any more. */
  | "REMOVED";

/** What two nodes of one ensemble say to each other. A frame carries many, in order. */
export type PeerEnvelope =
  | { readonly kind: "raft"; readonly message: Message }
  /** Encoded commands for the leader to stamp and append, in the order in which the sender wants them. */
  | {
      readonly kind: "proposals";
      readonly batch: number;
      readonly commands: readonly Uint8Array[];
    }
  /**
   * Nothing of the batch was appended; with `diskFull` nothing of it that would grow the tree, with `diskExhausted` nor what
   * would begin a session. Batch 0: several, and which of them were appended is not known any more.
   */
  | {
      readonly kind: "proposalsRefused";
      readonly batch: number;
      readonly reason: "notLeader" | "overloaded" | "diskFull" | "notReady" | "diskExhausted";
      readonly retryAfterMs: number;
    }
  /** Sessions heard of on the sender since its last batch. */
  | { readonly kind: "touches"; readonly batch: number; readonly sessions: readonly number[] }
  /** The leader noted the batch, in contact with a quorum; `unknown` are those it no longer keeps alive. */
  | { readonly kind: "touchesNoted"; readonly batch: number; readonly unknown: readonly number[] }
  /** A snapshot on its way: a header first, then pieces of image records. */
  | {
      readonly kind: "snapshotChunk";
      readonly transfer: number;
      readonly sequence: number;
      /** Only in the first. */
      readonly header: { readonly meta: SnapshotMeta; readonly message: InstallSnapshot } | null;
      readonly records: readonly (readonly [key: string, value: Uint8Array])[];
      readonly last: boolean;
      /** crc32 over everything since the header. */
      readonly checksum: number;
    }
  | {
      readonly kind: "snapshotAck";
      readonly transfer: number;
      readonly sequence: number;
      readonly ok: boolean;
    }
  /** A node told the sender that it wants to be taken in; the leader may not have heard of it. */
  | { readonly kind: "joinRequest"; readonly request: JoinRequest }
  /** How full the sender's disk is, when that changes and on every new link. */
  | { readonly kind: "disk"; readonly room: DiskRoom }
  /** The sender's data are damaged: whether the others could decide without it, and it may leave. */
  | { readonly kind: "leave"; readonly question: number }
  /** With `ok` the sender, which leads, counts on that node no more for a while. */
  | { readonly kind: "leaveAnswer"; readonly question: number; readonly ok: boolean }
  /** The state's digest at a revision, for comparison. */
  | { readonly kind: "digest"; readonly index: LogIndex; readonly digest: string };
