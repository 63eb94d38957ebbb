import type { MemberCommand } from "../../../packages/server/src/membership/member-command.ts";
import type { FileOperation } from "../../../packages/server/src/memory/memory-files.ts";

/** One direction between two hosts. */
export type Link = readonly [from: string, to: string];

/** A change of the ensemble that its leader is asked for. */
export type MemberChange = MemberCommand | { readonly kind: "transfer"; readonly name: string };

/** A node that goes down, and for how long. */
export interface Downtime {
  readonly node: string;
  readonly downMs: number;
}

/** A place on a disk: parts, from 0 to 1, of the records there are and of the bytes of one. */
export interface DiskPlace {
  readonly record: number;
  readonly offset: number;
  readonly bit: number;
}

/** A step of the files of a process: the `nth` such one from now on. */
export interface StepPlace {
  readonly operation: FileOperation | "any";
  readonly nth: number;
  /** It has not been done; else it has, and nobody knows of it. */
  readonly isBefore: boolean;
}

/**
 * What a log lost at its end: whole records, the first of them in part (`within`), or its newest file with all of them; or
 * one sector (`hole`), while what was written behind it is there. `place.record`: how many, all of them in the newest file.
 */
export interface TailLoss {
  readonly how: "whole" | "within" | "segment" | "hole";
  readonly place: DiskPlace;
}

/** What goes wrong, with everything that was drawn for it. */
export type FaultAction =
  | ({ readonly fault: "crash" | "powerCut" } & Downtime)
  | { readonly fault: "crashAll"; readonly downtimes: readonly Downtime[] }
  /** All disks stand still for a moment, then all nodes lose power: whatever was said meanwhile rests on no disk. */
  | {
      readonly fault: "blackout";
      readonly forMs: number;
      readonly downtimes: readonly Downtime[];
    }
  | { readonly fault: "restart"; readonly node: string }
  | { readonly fault: "stop"; readonly node: string; readonly forMs: number }
  | { readonly fault: "slowDisk" | "hungDisk"; readonly node: string; readonly forMs: number }
  | { readonly fault: "wallJump"; readonly node: string; readonly byMs: number }
  /** Nothing gets through, and nobody is told. */
  | {
      readonly fault:
        | "isolate"
        | "oneWay"
        | "split"
        | "bridge"
        | "ring"
        | "blockClient"
        | "cutOffClient";
      readonly links: readonly Link[];
      readonly forMs: number;
    }
  /** Everything takes longer by `delayMs`. */
  | {
      readonly fault: "slowLinks";
      readonly links: readonly Link[];
      readonly forMs: number;
      readonly delayMs: number;
    }
  /** One connection of the two between a pair takes longer by `delayMs`, and the other overtakes it. */
  | {
      readonly fault: "delaySpike";
      readonly links: readonly Link[];
      readonly forMs: number;
      readonly delayMs: number;
    }
  /** Frames queue for a link that takes so many bytes a second. */
  | {
      readonly fault: "congestion";
      readonly links: readonly Link[];
      readonly forMs: number;
      readonly bytesPerSecond: number;
    }
  /** Connections break. */
  | { readonly fault: "cutPeers" | "cutClients"; readonly links: readonly Link[] }
  /** The next frame arrives in part, and its connection breaks there. */
  | { readonly fault: "tornFrame"; readonly links: readonly Link[] }
  /** Whoever receives has no connection any more; whoever sends believes that it has. */
  | { readonly fault: "halfOpen"; readonly links: readonly Link[] }
  | { readonly fault: "stopClient"; readonly client: string; readonly forMs: number }
  | { readonly fault: "crashClient"; readonly client: string }
  | { readonly fault: "failingDisk"; readonly node: string; readonly operation: FileOperation }
  | ({ readonly fault: "readError" } & Downtime)
  | {
      readonly fault: "fullDisk";
      readonly node: string;
      readonly spareBytes: number;
      readonly forMs: number;
    }
  /** A bit of the log or of the image of a node that runs is another one. */
  | {
      readonly fault: "rot";
      readonly node: string;
      readonly isImage: boolean;
      readonly place: DiskPlace;
    }
  | ({ readonly fault: "wipe" } & Downtime)
  /**
   * The process dies at a step of its files, and `withMachine` the machine, unless none comes in time. It goes on as it was
   * until then, or from a start: behind the end of the process or of the machine, or with its log damaged as by `damage`.
   */
  | ({
      readonly fault: "stepCrash";
      readonly from: "now" | "kill" | "powerCut" | "damage";
      readonly step: StepPlace;
      readonly withMachine: boolean;
      readonly withinMs: number;
      readonly place: DiskPlace;
    } & Downtime)
  /** `badSector`: of the log or of one copy of the identity, what the medium gives back no more until it is written. */
  | ({ readonly fault: "damage" | "bitFlip" | "badSector"; readonly place: DiskPlace } & Downtime)
  /** What was to be written in one place stands in another one. */
  | ({
      readonly fault: "misdirectedWrite";
      readonly place: DiskPlace;
      readonly to: DiskPlace;
    } & Downtime)
  /** What the disk had said to be written at the end of the log is not there. */
  | ({ readonly fault: "lostTail" } & TailLoss & Downtime)
  /** After so long the disk is as it was, at the next moment at which that does no harm for certain. */
  | ({ readonly fault: "oldDisk"; readonly afterMs: number } & Downtime)
  | { readonly fault: "members"; readonly change: MemberChange }
  /** An operator takes one of the whole tree, and reads it with a pause after every piece. */
  | {
      readonly fault: "backup";
      readonly node: string;
      readonly isLocal: boolean;
      readonly pauseMs: number;
    };

/** What went wrong, and when: ms since clients began to work. */
export type FaultEvent = FaultAction & { readonly atMs: number };
