import { assert } from "./assert.ts";
import type { LogIndex } from "./ids.ts";

/** Messages the ring holds before it grows. */
const initialSlots = 16;

/**
 * What is on its way to one peer: per message its last index, entries and bytes, oldest first. A ring that grows up to
 * the window's bound in entries (each message holds at least one) and is then reused for ever.
 */
export class Inflights {
  readonly #entriesMax: number;
  readonly #bytesMax: number;
  #lastIndexes: number[] = Array.from({ length: initialSlots }, () => 0);
  #entryCounts: number[] = Array.from({ length: initialSlots }, () => 0);
  #byteCounts: number[] = Array.from({ length: initialSlots }, () => 0);
  #start = 0;
  #messages = 0;
  #entries = 0;
  #bytes = 0;

  constructor(entriesMax: number, bytesMax: number) {
    assert(entriesMax > 0 && bytesMax > 0, "inflights_bounds_positive");
    this.#entriesMax = entriesMax;
    this.#bytesMax = bytesMax;
  }

  get messages(): number {
    return this.#messages;
  }

  get entries(): number {
    return this.#entries;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Entries that may still be sent. */
  get entriesLeft(): number {
    return this.#bytes >= this.#bytesMax ? 0 : this.#entriesMax - this.#entries;
  }

  /** Bytes that may still be sent. A single entry may exceed it when nothing is on its way. */
  get bytesLeft(): number {
    return Math.max(0, this.#bytesMax - this.#bytes);
  }

  /** Notes a message that was sent. */
  add(lastIndex: LogIndex, entries: number, bytes: number): void {
    assert(entries > 0 && entries <= this.#entriesMax - this.#entries, "inflights_entries_bound");
    assert(this.#messages === 0 || bytes <= this.bytesLeft, "inflights_bytes_bound");
    if (this.#messages === this.#lastIndexes.length) this.#grow();
    const slot = (this.#start + this.#messages) % this.#lastIndexes.length;
    this.#lastIndexes[slot] = lastIndex;
    this.#entryCounts[slot] = entries;
    this.#byteCounts[slot] = bytes;
    this.#messages += 1;
    this.#entries += entries;
    this.#bytes += bytes;
  }

  /** Forgets every message that ends at or below `matchIndex`. */
  freeThrough(matchIndex: LogIndex): void {
    while (this.#messages > 0 && (this.#lastIndexes[this.#start] ?? 0) <= matchIndex) {
      this.#entries -= this.#entryCounts[this.#start] ?? 0;
      this.#bytes -= this.#byteCounts[this.#start] ?? 0;
      this.#start = (this.#start + 1) % this.#lastIndexes.length;
      this.#messages -= 1;
    }
    assert(this.#entries >= this.#messages, "inflights_counts_agree");
  }

  /** Forgets everything: what was sent may be lost. */
  clear(): void {
    this.#start = 0;
    this.#messages = 0;
    this.#entries = 0;
    this.#bytes = 0;
  }

  #grow(): void {
    assert(this.#messages === this.#lastIndexes.length, "inflights_grow_when_full");
    this.#lastIndexes = this.#unrolled(this.#lastIndexes);
    this.#entryCounts = this.#unrolled(this.#entryCounts);
    this.#byteCounts = this.#unrolled(this.#byteCounts);
    this.#start = 0;
  }

  #unrolled(ring: readonly number[]): number[] {
    const padding = Array.from({ length: ring.length }, () => 0);
    return [...ring.slice(this.#start), ...ring.slice(0, this.#start), ...padding];
  }
}
