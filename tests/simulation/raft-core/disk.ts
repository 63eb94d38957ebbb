import {
  logIndex,
  type Entry,
  type HardState,
  type LogIndex,
  type NodeId,
  type PersistWork,
  type RaftInitialState,
  type SnapshotMeta,
  type Term,
} from "@quorate/raft";

/** A durable image of the state machine: what it stands for and the digest of its content. */
export interface Image {
  readonly meta: SnapshotMeta;
  readonly digest: number;
}

/** What survives a crash of one node. */
export class SimDisk {
  hardState: HardState;
  /** The entry before the first one that is stored. */
  #base: { index: LogIndex; term: Term };
  #entries: Entry[] = [];
  #images: Image[];

  constructor(formation: SnapshotMeta, hardState: HardState) {
    this.hardState = hardState;
    this.#base = { index: formation.index, term: formation.term };
    this.#images = [{ meta: formation, digest: 0 }];
  }

  get firstIndex(): number {
    return this.#base.index + 1;
  }

  get lastIndex(): number {
    return this.#base.index + this.#entries.length;
  }

  /** Null where nothing is stored. */
  termAt(index: number): Term | null {
    if (index === this.#base.index) return this.#base.term;
    return this.#entries[index - this.#base.index - 1]?.term ?? null;
  }

  /** True if the entry is stored, or covered by an image. */
  holds(index: number, term: Term): boolean {
    return index < this.#base.index || this.termAt(index) === term;
  }

  /** Carries a write out. Throws if the core asked for something that leaves a hole. */
  write(work: PersistWork): void {
    this.hardState = work.hardState;
    if (work.snapshot !== null) {
      this.#base = { index: work.snapshot.index, term: work.snapshot.term };
      this.#entries = [];
    }
    const first = work.entries[0];
    if (first === undefined) return;
    if (first.index > this.lastIndex + 1) throw new Error(`hole before ${first.index} on disk`);
    if (first.index <= this.#base.index) throw new Error(`write before the log at ${first.index}`);
    this.#entries.length = first.index - this.#base.index - 1;
    for (const entry of work.entries) this.#entries.push(entry);
  }

  addImage(image: Image): void {
    this.#images = this.#images.filter((known) => known.meta.index !== image.meta.index);
    this.#images.push(image);
    this.#images.sort((left, right) => left.meta.index - right.meta.index);
    const usable = this.newestImage().meta.index;
    const keep = this.#images.filter((known) => known.meta.index <= usable).slice(-3);
    // A write that makes the log stand on any of these may be under way.
    const ahead = this.#images.filter((known) => known.meta.index > usable);
    this.#images = [...keep, ...ahead];
  }

  imageAt(index: LogIndex): Image | null {
    return this.#images.find((image) => image.meta.index === index) ?? null;
  }

  /** The newest image that the stored log agrees with. A received one counts only once the log stands on it. */
  newestImage(): Image {
    const usable = this.#images.filter(({ meta }) => this.termAt(meta.index) === meta.term);
    const newest = usable[usable.length - 1];
    if (newest === undefined) throw new Error("no image fits the log");
    return newest;
  }

  /** Forgets entries at or below `index`, as far as an image covers them. */
  forgetThrough(index: number): void {
    const end = Math.min(index, this.newestImage().meta.index);
    if (end <= this.#base.index) return;
    const term = this.termAt(end);
    if (term === null) throw new Error(`cannot forget through ${end}`);
    this.#entries = this.#entries.slice(end - this.#base.index);
    this.#base = { index: logIndex(end), term };
  }

  /** What a core is started from. */
  load(): { readonly initial: RaftInitialState; readonly image: Image } {
    const image = this.newestImage();
    const initial: RaftInitialState = {
      hardState: this.hardState,
      snapshot: image.meta,
      firstIndex: this.firstIndex,
      entries: this.#entries.slice(image.meta.index - this.#base.index),
    };
    return { initial, image };
  }

  /** Entries for a lagging peer with the term before them; null if they are gone. */
  read(from: LogIndex, to: LogIndex): { prevTerm: Term; entries: readonly Entry[] | null } {
    const prevTerm = this.termAt(from - 1);
    if (prevTerm === null || from <= this.#base.index) {
      return { prevTerm: this.#base.term, entries: null };
    }
    const start = from - this.#base.index - 1;
    return { prevTerm, entries: this.#entries.slice(start, to - this.#base.index) };
  }

  describe(id: NodeId): string {
    const { term, votedFor } = this.hardState;
    return `disk ${id}: term ${term} vote ${votedFor} log ${this.firstIndex}..${this.lastIndex}`;
  }
}
