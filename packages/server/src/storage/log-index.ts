import { logIndex, term, type LogIndex, type Term } from "@quorate/raft";
import type { BlockBounds } from "./entry-codec.ts";

/** A point is kept for each such many bytes of the log. */
const POINT_BYTES = 65_536;

/** Entries from `index` on, up to the next point's index, stand in records from `position` on, in one segment. */
export interface LogPoint {
  readonly index: number;
  readonly term: number;
  /** Names the segment by the sequence of its first record. */
  readonly segment: number;
  readonly position: number;
}

/**
 * Where entries stand on disk. Sparse, so that its size follows from the log's: a point for every 64 KiB, one at the
 * first entries of each segment, and one wherever entries replace others, so that what was replaced is never walked into.
 */
export class LogPoints {
  #points: LogPoint[] = [];
  #baseIndex: number;
  #baseTerm: number;
  #lastIndex: number;
  #lastTerm: number;
  #generation = 0;

  /** `index` and `term` are of the entry before the first. */
  constructor(index: LogIndex, baseTerm: Term) {
    this.#baseIndex = index;
    this.#baseTerm = baseTerm;
    this.#lastIndex = index;
    this.#lastTerm = baseTerm;
  }

  /** The entry before the first that can be read. */
  get baseIndex(): LogIndex {
    return logIndex(this.#baseIndex);
  }

  get baseTerm(): Term {
    return term(this.#baseTerm);
  }

  get lastIndex(): LogIndex {
    return logIndex(this.#lastIndex);
  }

  get lastTerm(): Term {
    return term(this.#lastTerm);
  }

  /** Changes when entries were replaced or dropped: what was being read may then be stale. */
  get generation(): number {
    return this.#generation;
  }

  /** True when entries from `index` on leave no gap. */
  follows(index: LogIndex): boolean {
    return index <= this.#lastIndex + 1;
  }

  append(bounds: BlockBounds, segment: number, position: number): void {
    const { firstIndex, firstTerm } = bounds;
    const replaces = firstIndex <= this.#lastIndex;
    if (replaces) {
      this.#generation += 1;
      while ((this.#points.at(-1)?.index ?? 0) >= firstIndex) this.#points.pop();
      if (firstIndex <= this.#baseIndex) {
        // The entry before is in no record that is left, so the first one only tells where the rest begins.
        this.#baseIndex = firstIndex;
        this.#baseTerm = firstTerm;
      }
    }
    const last = this.#points.at(-1);
    const near =
      last !== undefined && last.segment === segment && position - last.position < POINT_BYTES;
    if (replaces || !near) {
      this.#points.push({ index: firstIndex, term: firstTerm, segment, position });
    }
    this.#lastIndex = bounds.lastIndex;
    this.#lastTerm = bounds.lastTerm;
  }

  /** The log starts anew behind this entry. */
  restart(index: LogIndex, baseTerm: Term): void {
    this.#generation += 1;
    this.#points = [];
    this.#baseIndex = index;
    this.#baseTerm = baseTerm;
    this.#lastIndex = index;
    this.#lastTerm = baseTerm;
  }

  /**
   * Whether nothing behind `upTo` stands in segments before this one. One entry of the rest must be covered as well: it
   * becomes the base.
   */
  canStartAt(segment: number, upTo: LogIndex): boolean {
    const first = this.#firstFrom(segment);
    return (first?.index ?? this.#lastIndex) <= upTo;
  }

  /** Forgets what stands in segments before this one. */
  startAt(segment: number): void {
    const first = this.#firstFrom(segment);
    const points = this.#points.filter((point) => point.segment >= segment);
    // Without a point dropped, the base before them holds on.
    if (points.length === this.#points.length && this.#baseIsBefore(first)) return;
    this.#generation += 1;
    this.#points = points;
    this.#baseIndex = first?.index ?? this.#lastIndex;
    this.#baseTerm = first?.term ?? this.#lastTerm;
  }

  /** The points whose records tell entries `from` to `to`, in order; empty when they are not there. */
  between(from: number, to: number): readonly LogPoint[] {
    let start = 0;
    let end = this.#points.length;
    while (start < end) {
      const middle = (start + end) >>> 1;
      if ((this.#points[middle]?.index ?? 0) <= from) start = middle + 1;
      else end = middle;
    }
    if (start === 0) return [];
    const wanted: LogPoint[] = [];
    for (const point of this.#points.slice(start - 1)) {
      if (point.index > to) break;
      wanted.push(point);
    }
    return wanted;
  }

  #firstFrom(segment: number): LogPoint | undefined {
    return this.#points.find((point) => point.segment >= segment);
  }

  #baseIsBefore(first: LogPoint | undefined): boolean {
    return first === undefined || first.index === this.#baseIndex + 1;
  }
}
