import type { NodeId, TraceEvent } from "@quorate/raft";
import { AbstractLog } from "./abstract-log.ts";

interface Write {
  readonly seq: number;
  readonly term: number;
  readonly votedFor: NodeId | null;
  readonly from: number;
  readonly terms: readonly number[];
  readonly base: { readonly index: number; readonly term: number } | null;
}

/** What one node's disk is sure to hold, and what it may hold: of a write that a crash interrupted nobody knows. */
export class AbstractDisk {
  term = 0;
  votedFor: NodeId | null = null;
  log = new AbstractLog();
  #writing: Write | null = null;

  /** `log`: what is written, as memory has it; `base`: what it stands on. */
  begin(event: TraceEvent<"writeBegun">, log: AbstractLog): void {
    const { seq, term, votedFor, from, to, snapshotIndex } = event;
    const terms = to < from ? [] : log.slice(from, to);
    const base =
      snapshotIndex === null
        ? null
        : { index: snapshotIndex, term: log.termAt(snapshotIndex) ?? 0 };
    this.#writing = { seq, term, votedFor, from, terms, base };
  }

  /** False: no such write was under way. */
  complete(event: TraceEvent<"writeDurable">): boolean {
    const writing = this.#writing;
    if (writing === null || writing.seq !== event.seq) return false;
    if (writing.term !== event.term || writing.votedFor !== event.votedFor) return false;
    this.#writing = null;
    this.#carryOut(writing);
    return true;
  }

  /** A core starts from it: settles what became of a write under way. False: it does not start from what is there. */
  start(event: TraceEvent<"started">): boolean {
    if (!this.#settle(event)) return false;
    // A snapshot that the log was about to stand on, or a backup that was restored.
    const { imageIndex, imageTerm } = event;
    if (imageIndex > this.log.lastIndex) this.log = this.log.standingOn(imageIndex, imageTerm);
    return true;
  }

  /** No less than it holds, whatever became of a write under way. */
  get termMax(): number {
    return Math.max(this.term, this.#writing?.term ?? 0);
  }

  /** True of what is durable, and of what a write under way has. */
  mayHold(term: number, votedFor: NodeId | null): boolean {
    const isIn = (each: Pick<Write, "term" | "votedFor">): boolean =>
      each.term === term && each.votedFor === votedFor;
    return isIn(this) || (this.#writing !== null && isIn(this.#writing));
  }

  /** What it held is gone, but for this. */
  turnBack(term: number, votedFor: NodeId | null, log: AbstractLog): void {
    this.term = term;
    this.votedFor = votedFor;
    this.log = log;
    this.#writing = null;
  }

  #settle(event: TraceEvent<"started">): boolean {
    const writing = this.#writing;
    this.#writing = null;
    if (this.#isStart(event)) return true;
    if (writing === null) return false;
    // Term and vote are written before the rest, and may be all that arrived.
    this.term = writing.term;
    this.votedFor = writing.votedFor;
    if (this.#isStart(event)) return true;
    this.#carryOut(writing);
    return this.#isStart(event);
  }

  #isStart({ term, votedFor, imageIndex, imageTerm, lastIndex, lastTerm }: TraceEvent<"started">) {
    if (this.term !== term || this.votedFor !== votedFor) return false;
    const log = this.log.standingOn(imageIndex, imageTerm);
    return log.lastIndex === lastIndex && log.lastTerm === lastTerm;
  }

  #carryOut({ term, votedFor, from, terms, base }: Write): void {
    this.term = term;
    this.votedFor = votedFor;
    if (base !== null) this.log.reset(base.index, base.term);
    if (terms.length === 0) return;
    this.log.truncateFrom(from);
    for (const each of terms) this.log.append(each, 1);
  }
}
