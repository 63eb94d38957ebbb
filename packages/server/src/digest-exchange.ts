import type { LogIndex, NodeId } from "@quorate/raft";
import { reached } from "./points.ts";

export interface DigestPorts {
  readonly self: NodeId;
  broadcast(index: LogIndex, digest: string): void;
  /** Who has a say now. */
  voters(): readonly NodeId[];
  /** This node's state differs from what a majority has: it must not go on. */
  fatal(index: LogIndex, own: string, others: string): void;
}

/** Entries between two comparisons. */
const INTERVAL = 1_024;
/** Comparisons remembered; a node further behind than this is not compared. */
const KEPT = 32;

/**
 * Replicas compare the digests of their states at the same revisions. A node that finds itself alone against a majority
 * has applied something else than the log says, or its memory changed; it stops before it answers any more.
 */
export class DigestExchange {
  readonly #ports: DigestPorts;
  readonly #byIndex = new Map<LogIndex, Map<NodeId, string>>();
  #compared = 0;

  constructor(ports: DigestPorts) {
    this.#ports = ports;
  }

  /** Comparisons that a majority agreed in. */
  get comparedCount(): number {
    return this.#compared;
  }

  /** True at revisions at which digests are taken. */
  isDue(index: LogIndex): boolean {
    return index % INTERVAL === 0;
  }

  own(index: LogIndex, digest: string): void {
    this.#note(this.#ports.self, index, digest);
    this.#ports.broadcast(index, digest);
  }

  onDigest(from: NodeId, index: LogIndex, digest: string): void {
    if (!this.isDue(index)) return;
    this.#note(from, index, digest);
  }

  #note(node: NodeId, index: LogIndex, digest: string): void {
    const digests = this.#digestsAt(index);
    if (digests === null) return;
    digests.set(node, digest);
    const own = digests.get(this.#ports.self);
    if (own === undefined) return;
    const voters = this.#ports.voters();
    const quorum = Math.floor(voters.length / 2) + 1;
    const counts = new Map<string, number>();
    for (const voter of voters) {
      const value = digests.get(voter);
      if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    const isNews = digest === own && (node === this.#ports.self || voters.includes(node));
    for (const [value, count] of counts) {
      if (count < quorum) continue;
      if (value !== own) {
        reached("digest_mismatch_found");
        this.#ports.fatal(index, own, value);
      } else if (isNews && (node === this.#ports.self || count === quorum)) this.#compared += 1;
    }
  }

  #digestsAt(index: LogIndex): Map<NodeId, string> | null {
    const known = this.#byIndex.get(index);
    if (known !== undefined) return known;
    const digests = new Map<NodeId, string>();
    this.#byIndex.set(index, digests);
    if (this.#byIndex.size > KEPT) {
      let lowest = index;
      for (const other of this.#byIndex.keys()) if (other < lowest) lowest = other;
      this.#byIndex.delete(lowest);
      if (lowest === index) {
        reached("digest_too_old_to_compare");
        return null;
      }
    }
    return digests;
  }
}
