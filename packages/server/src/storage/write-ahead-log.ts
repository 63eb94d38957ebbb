import type { Entry, HardState, LogIndex, NodeId, SnapshotMeta, Term } from "@quorate/raft";
import type { Files, Random } from "../ports.ts";

export interface LogOptions {
  readonly nodeId: NodeId;
  /** 16 bytes that the identity keeps: a log of another node or another life is refused. */
  readonly tag: Uint8Array;
  readonly random: Random;
  /** True: makes a new log and fails where there is one. False: fails unless there is one. */
  readonly create: boolean;
  /** Hard state of a log that is made new. Default: term 0, no vote. */
  readonly hardState?: HardState;
  /** Records up to this one are known to be durable (from the identity): fewer mean that the log lost its end. Default 0. */
  readonly sequenceAtLeast?: number;
  /** Size of a segment. Default 16 MiB. */
  readonly segmentBytes?: number;
}

/** What one record holds beside its entries. */
export interface LogWork {
  readonly hardState: HardState;
  /** The log starts anew behind this snapshot: everything stored before is dropped. */
  readonly snapshot: SnapshotMeta | null;
}

export interface LogDamage {
  readonly kind:
    | "segment_header"
    | "segment_missing"
    | "record"
    | "chain"
    | "entries"
    | "records_lost";
  /** File name of the segment; "" where none is at fault. */
  readonly segment: string;
  readonly position: number;
  readonly message: string;
}

export interface LogRecovery {
  readonly hardState: HardState;
  /** Last snapshot marker in the log that is kept. */
  readonly snapshot: SnapshotMeta | null;
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  readonly records: number;
  /** Unfinished writes that were cut off: at most one each start. */
  readonly torn: number;
  /** Not null: the log is good up to there, and refuses to append until {@link WriteAheadLog.cutAtDamage}. */
  readonly damage: LogDamage | null;
}

export declare class WriteAheadLog {
  static open(
    files: Files,
    directory: string,
    options: LogOptions,
  ): Promise<{ readonly log: WriteAheadLog; readonly recovered: LogRecovery }>;
  /** First index that `read` can return. */
  get firstIndex(): LogIndex;
  get lastIndex(): LogIndex;
  /** Of the last durable record. */
  get sequence(): number;
  get hardState(): HardState;
  /** Bytes on disk. */
  get bytes(): number;
  /** `block`: from `encodeEntries`, may be empty. Never called while another is under way. */
  persist(work: LogWork, block: Uint8Array): Promise<void>;
  /** At least one entry where there is one, then as many as fit. Null: compacted. */
  read(
    from: LogIndex,
    to: LogIndex,
    bytesMax: number,
  ): Promise<{ readonly prevTerm: Term; readonly entries: readonly Entry[] } | null>;
  /** Removes segments that hold nothing behind `upTo`; never the newest. */
  compact(upTo: LogIndex): Promise<void>;
  /** Gives up what stands at and behind the damage (kept aside as `*.damaged`) and lets the log go on. */
  cutAtDamage(hardState: HardState): Promise<void>;
  close(): Promise<void>;
}
