import type { ScanEnd } from "./log-scanner.ts";

/** Why a log is not what was written. */
export interface LogDamage {
  readonly kind:
    /** The first sector of a segment, or the seal behind its records. */
    | "segment_header"
    /** A segment's file is shorter or longer than it was made. */
    | "segment_size"
    | "segment_missing"
    /** A record's bytes. */
    | "record"
    /** Whole records that do not follow each other. */
    | "chain"
    /** A whole record with entries that do not follow the log. */
    | "entries"
    /** The log ends before records that are known to have been durable. */
    | "records_lost"
    /** What the medium does not give back. */
    | "unreadable";
  /** File name of the segment. */
  readonly segment: string;
  readonly position: number;
  readonly message: string;
}

/** Why a segment ends before its file should. */
export const CUT_SHORT = "a segment that is cut short";

/** What is wrong and where, for people. */
export function damageText({ message, segment, position }: LogDamage): string {
  return `${message} (${segment} at ${position})`;
}

/** What is wrong with a segment's file of so many bytes; null: it has the size that it was made with. */
export function sizeDamage(bytes: number, segmentBytes: number): string | null {
  if (bytes === segmentBytes) return null;
  return bytes < segmentBytes ? CUT_SHORT : "a segment that is longer than it was made";
}

/** Null: a log may end so. */
export function whatIsWrong(step: ScanEnd): string | null {
  if (step.kind === "corrupt") return step.message;
  return step.kind === "cut" ? CUT_SHORT : null;
}
