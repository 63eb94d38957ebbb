import type { LogIndex, Term } from "@quorate/raft";
import type { ChainHash, SegmentHeader } from "./log-format.ts";

/** Where the records of a log end. */
export interface LogEnd {
  readonly sequence: number;
  readonly chain: ChainHash;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
}

/** Why a segment does not go on where the log ended. */
export interface BrokenLink {
  readonly kind: "segment_missing" | "chain";
  readonly message: string;
}

/** Holds what a segment's header says of the log before it against where that log ends; null: it goes on there. */
export function brokenLink(header: SegmentHeader, end: LogEnd): BrokenLink | null {
  if (header.previousSequence > end.sequence) {
    const message = `records ${end.sequence + 1} to ${header.previousSequence} are gone`;
    return { kind: "segment_missing", message };
  }
  const follows =
    header.previousSequence === end.sequence &&
    header.previousChain === end.chain &&
    header.lastIndex === end.lastIndex &&
    header.lastTerm === end.lastTerm;
  if (follows) return null;
  return { kind: "chain", message: "a segment that does not follow the one before it" };
}

/** Of a sealed segment that is the last one there. */
export function segmentGone(nextSequence: number): BrokenLink {
  const message = `the segment from record ${nextSequence} on is gone`;
  return { kind: "segment_missing", message };
}
