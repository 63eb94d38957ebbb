import { assert } from "./assert.ts";
import { entryBytes } from "./entry-bytes.ts";
import type { Entry } from "./entry.ts";
import { indexAfter, logIndex, term, type LogIndex, type Term } from "./ids.ts";
import { reached } from "./points.ts";

/** Answer for an index whose entry the log no longer holds: never to be mistaken for a term. */
export type Compacted = "compacted";

/** Takes the place of a dropped entry until the array is cut, so that the entry itself is freed at once. */
const dropped: Entry = { kind: "noop", term: term(0), index: logIndex(0) };

/** Slots that have to be dead before the array is cut: cutting copies what lives. */
const deadSlotsMin = 1024;

/**
 * The tail of the log in memory, behind a base entry of which only index and term are known.
 *
 * Also keeps how far the disk has it: `persistedIndex` is the highest index up to which memory and disk are the same.
 * While a write is under way, truncation lowers what its completion will vouch for, because the entries that take the
 * place of the truncated ones are not in that write (append ABA, etcd-io/raft, notes on asynchronous storage writes).
 */
export class RaftLog {
  #entries: Entry[] = [];
  /** Bytes up to and including the entry of the same slot, counted from the start of this process. */
  #bytesUpTo: number[] = [];
  #head = 0;
  #baseIndex: LogIndex;
  #baseTerm: Term;
  #baseBytes = 0;
  #persistedIndex: LogIndex;
  /** What the write under way vouches for at most; null when none is. */
  #persistingIndex: LogIndex | null = null;

  /** Everything in `entries` is on disk already. */
  constructor(baseIndex: LogIndex, baseTerm: Term, entries: readonly Entry[]) {
    this.#baseIndex = baseIndex;
    this.#baseTerm = baseTerm;
    this.#persistedIndex = baseIndex;
    for (const entry of entries) this.append(entry);
    this.#persistedIndex = this.lastIndex;
  }

  /** The entry before the first one in memory. */
  get baseIndex(): LogIndex {
    return this.#baseIndex;
  }

  get baseTerm(): Term {
    return this.#baseTerm;
  }

  /** First index in memory; one past `lastIndex` when there is none. */
  get firstIndex(): LogIndex {
    return indexAfter(this.#baseIndex);
  }

  get lastIndex(): LogIndex {
    return indexAfter(this.#baseIndex, this.#entries.length - this.#head);
  }

  get lastTerm(): Term {
    const last = this.#entries[this.#entries.length - 1];
    return this.#entries.length === this.#head || last === undefined ? this.#baseTerm : last.term;
  }

  /** 0 between a reset and the write that makes it durable. */
  get persistedIndex(): LogIndex {
    return this.#persistedIndex;
  }

  get memoryBytes(): number {
    return this.#totalBytes() - this.#baseBytes;
  }

  #totalBytes(): number {
    const length = this.#bytesUpTo.length;
    return length === this.#head ? this.#baseBytes : (this.#bytesUpTo[length - 1] ?? 0);
  }

  #slot(index: LogIndex): number {
    return this.#head + (index - this.#baseIndex - 1);
  }

  #entryAt(index: LogIndex): Entry {
    const entry = this.#entries[this.#slot(index)];
    assert(entry !== undefined && entry !== dropped, "log_entry_in_memory");
    return entry;
  }

  #bytesThrough(index: LogIndex): number {
    assert(index >= this.#baseIndex && index <= this.lastIndex, "log_bytes_in_memory");
    if (index === this.#baseIndex) return this.#baseBytes;
    return this.#bytesUpTo[this.#slot(index)] ?? 0;
  }

  /** The term at `index`, which must not be past the end. */
  termAt(index: LogIndex): Term | Compacted {
    assert(index <= this.lastIndex, "log_term_within_log");
    if (index < this.#baseIndex) return "compacted";
    if (index === this.#baseIndex) return this.#baseTerm;
    return this.#entryAt(index).term;
  }

  /** True if memory is sure to hold the entry named by `index` and `entryTerm`. */
  matches(index: LogIndex, entryTerm: Term): boolean {
    return index <= this.lastIndex && this.termAt(index) === entryTerm;
  }

  /** True if a log that ends in `index` and `entryTerm` is at least as good as this one. Raft paper, section 5.4.1. */
  isUpToDate(index: LogIndex, entryTerm: Term): boolean {
    const ownTerm = this.lastTerm;
    return entryTerm > ownTerm || (entryTerm === ownTerm && index >= this.lastIndex);
  }

  /** Adds the next entry. */
  append(entry: Entry): void {
    assert(entry.index === this.lastIndex + 1, "log_append_contiguous");
    assert(entry.term >= this.lastTerm, "log_append_terms_rise");
    this.#bytesUpTo.push(this.#totalBytes() + entryBytes(entry));
    this.#entries.push(entry);
  }

  /** Drops `index` and everything after it. */
  truncateFrom(index: LogIndex): void {
    assert(index > this.#baseIndex && index <= this.lastIndex, "log_truncate_in_memory");
    const slot = this.#slot(index);
    this.#entries.length = slot;
    this.#bytesUpTo.length = slot;
    const last = this.lastIndex;
    if (this.#persistedIndex > last) {
      reached("durable_entries_truncated");
      this.#persistedIndex = last;
    }
    if (this.#persistingIndex !== null && this.#persistingIndex > last) {
      reached("truncated_while_write_in_flight");
      this.#persistingIndex = last;
    }
  }

  /** Forgets all entries: the log now stands on a snapshot that the disk does not know of yet. */
  reset(baseIndex: LogIndex, baseTerm: Term): void {
    assert(baseIndex >= this.#baseIndex, "log_reset_forward");
    this.#entries = [];
    this.#bytesUpTo = [];
    this.#head = 0;
    this.#baseIndex = baseIndex;
    this.#baseTerm = baseTerm;
    this.#baseBytes = 0;
    this.#persistedIndex = logIndex(0);
    if (this.#persistingIndex !== null) {
      reached("log_replaced_while_write_in_flight");
      this.#persistingIndex = logIndex(0);
    }
  }

  /** Entries from `from` up to and including `to`, all of them in memory; the list is the caller's. */
  slice(from: LogIndex, to: LogIndex): readonly Entry[] {
    assert(from > this.#baseIndex, "log_slice_in_memory");
    assert(to <= this.lastIndex, "log_slice_within_log");
    return this.#entries.slice(this.#slot(from), this.#slot(to) + 1);
  }

  /** Bytes of the entries after `after` up to and including `to`. */
  bytesBetween(after: LogIndex, to: LogIndex): number {
    assert(after <= to, "log_bytes_ordered");
    return this.#bytesThrough(to) - this.#bytesThrough(after);
  }

  /** The highest index in [from, to] such that `from` up to it are at most `bytesMax`; `from` in any case. */
  lastWithin(from: LogIndex, to: LogIndex, bytesMax: number): LogIndex {
    assert(from <= to, "log_within_ordered");
    const allowed = this.#bytesThrough(logIndex(from - 1)) + bytesMax;
    if (this.#bytesThrough(to) <= allowed) return to;
    let fits: number = from;
    let exceeds: number = to;
    while (exceeds - fits > 1) {
      const middle = Math.floor((fits + exceeds) / 2);
      if (this.#bytesThrough(logIndex(middle)) <= allowed) fits = middle;
      else exceeds = middle;
    }
    return logIndex(fits);
  }

  /**
   * The highest index at or below `index` whose term is at most `termMax`; the base when memory holds none, and `index`
   * itself when it lies before memory. Two logs can only agree at or below it, which lets a conflict skip whole terms
   * (Raft paper, end of section 5.3).
   */
  lastWithTermAtMost(index: LogIndex, termMax: Term): LogIndex {
    assert(index <= this.lastIndex, "log_search_within_log");
    if (index <= this.#baseIndex) return index;
    let agrees: number = this.#baseIndex;
    let conflicts = index + 1;
    while (conflicts - agrees > 1) {
      const middle = Math.floor((agrees + conflicts) / 2);
      if (this.#entryAt(logIndex(middle)).term <= termMax) agrees = middle;
      else conflicts = middle;
    }
    return logIndex(agrees);
  }

  /** First index that the disk does not have. */
  get unpersistedFrom(): LogIndex {
    const persisted = this.#persistedIndex;
    return indexAfter(persisted > this.#baseIndex ? persisted : this.#baseIndex);
  }

  /** A write of what follows the persisted entries, up to `upTo`, begins. One at a time. */
  beginPersist(upTo: LogIndex): void {
    assert(this.#persistingIndex === null, "log_one_write_at_a_time");
    assert(upTo >= this.#baseIndex && upTo <= this.lastIndex, "log_write_within_log");
    this.#persistingIndex = upTo;
  }

  /** The write under way is durable. */
  endPersist(): void {
    const vouched = this.#persistingIndex;
    assert(vouched !== null, "log_write_under_way");
    this.#persistingIndex = null;
    assert(vouched <= this.lastIndex, "log_write_vouches_within_log");
    if (vouched > this.#persistedIndex) this.#persistedIndex = vouched;
  }

  /** Drops entries at or below `limit` from memory, oldest first, until what is left is at most `bytesMax`. */
  trim(limit: LogIndex, bytesMax: number): void {
    if (this.memoryBytes <= bytesMax) return;
    const end = this.#slot(limit);
    const kept = this.#totalBytes() - bytesMax;
    while (this.#head <= end && this.#baseBytes < kept) this.#dropFirst();
    if (this.#head >= deadSlotsMin && this.#head * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#bytesUpTo = this.#bytesUpTo.slice(this.#head);
      this.#head = 0;
    }
  }

  #dropFirst(): void {
    const entry = this.#entries[this.#head];
    assert(entry !== undefined && entry !== dropped, "log_drop_in_memory");
    assert(entry.index <= this.#persistedIndex, "log_drop_persisted");
    this.#baseIndex = entry.index;
    this.#baseTerm = entry.term;
    this.#baseBytes = this.#bytesUpTo[this.#head] ?? 0;
    this.#entries[this.#head] = dropped;
    this.#head += 1;
  }
}
