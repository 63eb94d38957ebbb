import type { HardState, NodeId } from "@quorate/raft";
import type { Files } from "../ports.ts";

/** Who a data directory is, kept outside log and image. */
export interface Identity {
  /** "" while the ensemble is being formed. */
  readonly clusterId: string;
  readonly historyId: string;
  readonly nodeId: NodeId;
  readonly name: string;
  /** The host's bytes (the formation's membership); null while there is none. */
  readonly formation: Uint8Array | null;
  /** Copy of the log's: the one with the higher term, and within a term the one with a vote, is in force. */
  readonly hardState: HardState;
  /** This node voted or acknowledged entries at some time. */
  readonly hasVoted: boolean;
  /** False: its log was damaged and has not been made good from the peers. */
  readonly mayVote: boolean;
  /** Directory name of the image in force. */
  readonly image: string | null;
  /** The log was made: from then on its absence is a loss. */
  readonly logStarted: boolean;
  /** 16 bytes in every header of its log. */
  readonly logTag: Uint8Array;
  /** Log records up to this one are durable. */
  readonly logSequence: number;
}

export declare class IdentityFile {
  get current(): Identity;
  /** Durable when it resolves; calls are carried out in order. */
  update(changes: Partial<Identity>): Promise<void>;
  /** `logSequence`: of the last durable log record. */
  recordVote(hardState: HardState, logSequence: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * Null: a new data directory. Fails with IDENTITY_LOST (a log or an image without identity), IDENTITY_DAMAGED,
 * FORMAT_UNKNOWN.
 */
export declare function loadIdentity(files: Files, directory: string): Promise<IdentityFile | null>;
/** Fails where there is one. */
export declare function createIdentity(
  files: Files,
  directory: string,
  identity: Identity,
): Promise<IdentityFile>;
/** The vote that is in force when log and identity each tell one. */
export declare function laterHardState(a: HardState, b: HardState): HardState;
