/** Upper bounds of the buckets for latencies, ms: 50 µs to 10 s. */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000,
];
/** Upper bounds of the buckets for counts. */
export const COUNT_BOUNDS: readonly number[] = [
  1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192,
];

/** What a histogram counts and under which name it is told. */
export interface HistogramOptions {
  readonly name: string;
  readonly help: string;
  /** Ascending. */
  readonly bounds: readonly number[];
  /** Values are multiplied by it when they are told: 0.001 turns ms into the seconds Prometheus asks for. */
  readonly scale: number;
  /** Labels of every value, as they stand between the braces; "" for none. */
  readonly labels: string;
}

/** Counts values by size. Observing costs a search in an array of numbers and nothing else. */
export class Histogram {
  readonly #options: HistogramOptions;
  readonly #bounds: Float64Array;
  /** One more than bounds: what lies above all of them. */
  readonly #counts: Float64Array;
  #sum = 0;
  #count = 0;

  constructor(options: HistogramOptions) {
    this.#options = options;
    this.#bounds = Float64Array.from(options.bounds);
    this.#counts = new Float64Array(options.bounds.length + 1);
  }

  get count(): number {
    return this.#count;
  }

  get sum(): number {
    return this.#sum;
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let low = 0;
    let high = bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((bounds[middle] ?? 0) < value) low = middle + 1;
      else high = middle;
    }
    this.#counts[low] = (this.#counts[low] ?? 0) + 1;
    this.#sum += value;
    this.#count += 1;
  }

  /** Upper bound of the bucket that holds the `fraction` quantile, unscaled; Infinity beyond the last; 0 for no values. */
  quantile(fraction: number): number {
    const rank = Math.ceil(this.#count * fraction);
    if (rank === 0) return 0;
    let seen = 0;
    for (let at = 0; at < this.#bounds.length; at += 1) {
      seen += this.#counts[at] ?? 0;
      if (seen >= rank) return this.#bounds[at] ?? 0;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** Text exposition of Prometheus, "Exposition formats", version 0.0.4. */
  expose(): string {
    const { name, help, scale, labels } = this.#options;
    const also = labels === "" ? "" : `,${labels}`;
    const only = labels === "" ? "" : `{${labels}}`;
    let text = `# HELP ${name} ${help}\n# TYPE ${name} histogram\n`;
    let seen = 0;
    for (let at = 0; at < this.#bounds.length; at += 1) {
      seen += this.#counts[at] ?? 0;
      text += `${name}_bucket{le="${decimal((this.#bounds[at] ?? 0) * scale)}"${also}} ${seen}\n`;
    }
    text += `${name}_bucket{le="+Inf"${also}} ${this.#count}\n`;
    text += `${name}_sum${only} ${decimal(this.#sum * scale)}\n`;
    return `${text}${name}_count${only} ${this.#count}\n`;
  }
}

/** Without the noise that a multiplication by 0.001 leaves in the last digits. */
function decimal(value: number): string {
  return String(Number(value.toPrecision(12)));
}
