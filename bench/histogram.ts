/** Up to here a bucket is one microsecond wide. */
const LINEAR = 128;
const PER_DOUBLING = 64;
const SIZE = PER_DOUBLING * 36;

/** Buckets that hold anything: index and count. */
export type Buckets = readonly (readonly [index: number, count: number])[];

/**
 * Latencies in buckets of at most 1.6 % width, so that those of several processes add up. Microseconds below 128 have a
 * bucket each; every doubling above has 64.
 */
export class Histogram {
  readonly #counts: Float64Array = new Float64Array(SIZE);
  #total = 0;

  get total(): number {
    return this.#total;
  }

  addMs(latencyMs: number): void {
    const micros = Math.max(0, Math.floor(latencyMs * 1000));
    const index = Math.min(bucketOf(micros), SIZE - 1);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#total += 1;
  }

  addBuckets(buckets: Buckets): void {
    for (const [index, count] of buckets) {
      this.#counts[index] = (this.#counts[index] ?? 0) + count;
      this.#total += count;
    }
  }

  buckets(): Buckets {
    const filled: [number, number][] = [];
    for (const [index, count] of this.#counts.entries()) {
      if (count > 0) filled.push([index, count]);
    }
    return filled;
  }

  /** The latency, ms, below which this share (0 to 1) of all lies, to the middle of its bucket; NaN without any. */
  percentileMs(share: number): number {
    if (this.#total === 0) return Number.NaN;
    const rank = Math.max(1, Math.ceil(share * this.#total));
    let seen = 0;
    for (const [index, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= rank) return middleOf(index) / 1000;
    }
    return middleOf(SIZE - 1) / 1000;
  }
}

function bucketOf(micros: number): number {
  if (micros < LINEAR) return micros;
  const shift = Math.floor(Math.log2(micros)) - 6;
  return PER_DOUBLING * shift + Math.floor(micros / 2 ** shift);
}

function middleOf(index: number): number {
  if (index < LINEAR) return index + 0.5;
  const shift = Math.floor(index / PER_DOUBLING) - 1;
  return (index - PER_DOUBLING * shift + 0.5) * 2 ** shift;
}
