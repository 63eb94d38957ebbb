/** A log of which only the terms are known: from the entry after `baseIndex` on, one for each. */
export class AbstractLog {
  #baseIndex: number;
  #baseTerm: number;
  #terms: number[];

  constructor(baseIndex = 0, baseTerm = 0, terms: readonly number[] = []) {
    this.#baseIndex = baseIndex;
    this.#baseTerm = baseTerm;
    this.#terms = [...terms];
  }

  get lastIndex(): number {
    return this.#baseIndex + this.#terms.length;
  }

  get lastTerm(): number {
    return this.#terms.at(-1) ?? this.#baseTerm;
  }

  /** Null where there is nothing, or only a snapshot that covers it. */
  termAt(index: number): number | null {
    if (index === this.#baseIndex) return this.#baseTerm;
    return this.#terms[index - this.#baseIndex - 1] ?? null;
  }

  /** The entry stands there, or a snapshot covers it: what is covered is committed. */
  holds(index: number, term: number | null): boolean {
    return index < this.#baseIndex || this.termAt(index) === term;
  }

  append(term: number, count: number): void {
    for (let added = 0; added < count; added += 1) this.#terms.push(term);
  }

  truncateFrom(index: number): void {
    this.#terms.length = Math.max(0, index - this.#baseIndex - 1);
  }

  /** Begins anew behind a snapshot. */
  reset(baseIndex: number, baseTerm: number): void {
    this.#baseIndex = baseIndex;
    this.#baseTerm = baseTerm;
    this.#terms = [];
  }

  /** Terms of the entries from `from` up to and including `to`. */
  slice(from: number, to: number): readonly number[] {
    return this.#terms.slice(from - this.#baseIndex - 1, to - this.#baseIndex);
  }

  /** The same, standing on a snapshot at `index` if that lies further on. */
  standingOn(index: number, term: number): AbstractLog {
    if (index <= this.#baseIndex) return this.copy();
    return new AbstractLog(index, term, this.#terms.slice(index - this.#baseIndex));
  }

  copy(): AbstractLog {
    return new AbstractLog(this.#baseIndex, this.#baseTerm, this.#terms);
  }
}
