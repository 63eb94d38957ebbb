/** Latencies of one run, ms; the newest `countMax` are kept. */
export class Samples {
  readonly #values: Float64Array;
  #count = 0;

  constructor(countMax = 4_000_000) {
    this.#values = new Float64Array(countMax);
  }

  get count(): number {
    return this.#count;
  }

  add(value: number): void {
    this.#values[this.#count % this.#values.length] = value;
    this.#count += 1;
  }

  clear(): void {
    this.#count = 0;
  }

  /** The value below which this share (0 to 1) of all samples lie; NaN without any. */
  percentiles(shares: readonly number[]): readonly number[] {
    const kept = Math.min(this.#count, this.#values.length);
    const sorted = this.#values.slice(0, kept).sort();
    return shares.map(
      (share) => sorted[Math.min(kept - 1, Math.floor(share * kept))] ?? Number.NaN,
    );
  }
}
