import type { FetchWork, NodeId } from "@quorate/raft";

/**
 * Reads of the log for peers that lag, one at a time for each. The core asks again when an answer is long in coming: on a disk
 * that does not answer such reads would pile up. While one is under way only what was asked for last counts.
 */
export class PeerReads {
  readonly #read: (work: FetchWork) => Promise<void>;
  /** What was asked for last, for each peer whose read is under way. */
  readonly #newest = new Map<NodeId, FetchWork>();

  /** `read` answers the core; never rejects. */
  constructor(read: (work: FetchWork) => Promise<void>) {
    this.#read = read;
  }

  ask(work: FetchWork): void {
    const isUnderWay = this.#newest.has(work.peer);
    this.#newest.set(work.peer, work);
    if (!isUnderWay) void this.#run(work);
  }

  async #run(first: FetchWork): Promise<void> {
    const { peer } = first;
    await this.#read(first);
    const newest = this.#newest.get(peer);
    this.#newest.delete(peer);
    // The core goes by where an answer begins: that of the same place was this one's too.
    if (newest !== undefined && newest.from !== first.from) this.ask(newest);
  }
}
