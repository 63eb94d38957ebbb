import type { Entry, LogIndex, Membership, NodeId, PersistWork, Term } from "@quorate/raft";
import { Violation } from "../violation.ts";
import type { SimDisk } from "./disk.ts";

function check(condition: boolean, invariant: string, details: () => string): void {
  if (!condition) throw new Violation(invariant, details());
}

/** What an entry carries, as one number. */
function contentHash(entry: Entry): number {
  let hash = entry.kind === "command" ? 1 : entry.kind === "noop" ? 2 : 3;
  const mix = (value: number): void => {
    hash = Math.imul(hash ^ value, 0x01000193) >>> 0;
  };
  mix(entry.term);
  mix(entry.index);
  if (entry.kind === "command") for (const byte of entry.data) mix(byte);
  if (entry.kind === "config") for (const id of entry.membership.voters) mix(id);
  return hash;
}

/** Continues a digest over all entries applied so far. */
export function digestAfter(digest: number, entry: Entry): number {
  return (Math.imul(digest ^ 0x9e37_79b9, 0x85eb_ca6b) ^ contentHash(entry)) >>> 0;
}

interface Committed {
  readonly term: Term;
  readonly hash: number;
  /** Digest of everything up to here. */
  readonly digest: number;
  /** The term of the first node that knew of the commit. */
  readonly knownInTerm: Term;
}

/**
 * Knows everything that happened in a run and judges it by the invariants of reliability: I1 election safety, I3 log
 * matching, I4 leader completeness, I5 state machine safety, I6 and I8 commit durable on a quorum, I7 hard state never
 * regresses, I11 applied exactly once, C1 linearizable reads.
 */
export class Checker {
  readonly #leaders = new Map<Term, NodeId>();
  /** By term and index: what the entry holds and the term before it. */
  readonly #entries = new Map<string, string>();
  readonly #ledger: Committed[] = [];
  readonly #votes = new Map<string, NodeId>();
  /** Highest index that any node knows to be committed, and the first who knew in which term. */
  #commitIndex = 0;
  #commitTerms: { readonly index: number; readonly term: Term; readonly knownInTerm: Term }[] = [];
  elections = 0;

  get commitIndex(): number {
    return this.#commitIndex;
  }

  get appliedCount(): number {
    return this.#ledger.length;
  }

  digestAt(index: number): number | null {
    return index === 0 ? 0 : (this.#ledger[index - 1]?.digest ?? null);
  }

  /** I1, I4: a node leads; `termAt` reads its log (null: compacted, which only committed entries are). */
  onLeader(
    id: NodeId,
    term: Term,
    termAt: (index: number) => Term | "compacted" | "missing",
  ): void {
    const known = this.#leaders.get(term);
    check(known === undefined || known === id, "I1", () => `${known} and ${id} lead term ${term}`);
    if (known === id) return;
    this.#leaders.set(term, id);
    this.elections += 1;
    for (let at = this.#commitTerms.length - 1; at >= 0; at -= 1) {
      const commit = this.#commitTerms[at]!;
      if (commit.knownInTerm >= term) continue;
      const found = termAt(commit.index);
      check(
        found === commit.term || found === "compacted",
        "I4",
        () => `leader ${id} of term ${term} lacks ${commit.term}/${commit.index}, has ${found}`,
      );
      return;
    }
  }

  /** I3: equal index and term mean equal content and equal predecessors. */
  onWrite(work: PersistWork, termBefore: Term | null): void {
    let previous = termBefore;
    for (const entry of work.entries) {
      const key = `${entry.term}/${entry.index}`;
      const value = `${contentHash(entry)} after ${previous}`;
      const known = this.#entries.get(key);
      if (known === undefined) this.#entries.set(key, value);
      else check(known === value, "I3", () => `${key} is ${known} and ${value}`);
      previous = entry.term;
    }
  }

  /** I7: a durable term never falls, and a durable vote of a term never changes. */
  onDurable(id: NodeId, before: PersistWork["hardState"], after: PersistWork["hardState"]): void {
    check(after.term >= before.term, "I7", () => `term of ${id} falls to ${after.term}`);
    if (after.votedFor === null) {
      const isKept = after.term > before.term || before.votedFor === null;
      check(isKept, "I7", () => `${id} forgets its vote of term ${after.term}`);
      return;
    }
    const key = `${id}/${after.term}`;
    const known = this.#votes.get(key);
    check(known === undefined || known === after.votedFor, "I7", () => `${id} votes twice`);
    this.#votes.set(key, after.votedFor);
  }

  /** I6, I8: what a leader takes as committed is on the disks of a quorum. */
  onCommit(
    commit: { readonly index: LogIndex; readonly term: Term; readonly leaderTerm: Term },
    membership: Membership,
    disks: ReadonlyMap<NodeId, SimDisk>,
  ): void {
    const { index, term, leaderTerm } = commit;
    for (const voters of [membership.voters, membership.outgoingVoters]) {
      if (voters.length === 0) continue;
      const holders = voters.filter((id) => {
        const disk = disks.get(id);
        // With an older term on disk it could wake up and let an older leader overwrite the entry.
        return disk !== undefined && disk.holds(index, term) && disk.hardState.term >= leaderTerm;
      }).length;
      check(
        holders * 2 > voters.length,
        "I8",
        () => `${term}/${index} committed with ${holders} of ${voters.length} disks`,
      );
    }
    if (index <= this.#commitIndex) return;
    this.#commitIndex = index;
    this.#commitTerms.push({ index, term, knownInTerm: leaderTerm });
  }

  /** I5, I11: the first to apply an index decides; everybody applies the same, in order, once. */
  onApply(
    id: NodeId,
    entry: Entry,
    state: { readonly applied: number; readonly digest: number },
  ): number {
    const expected = state.applied + 1;
    check(entry.index === expected, "I11", () => `${id} applies ${entry.index} for ${expected}`);
    const digest = digestAfter(state.digest, entry);
    const known = this.#ledger[entry.index - 1];
    if (known !== undefined) {
      check(
        known.hash === contentHash(entry) && known.digest === digest,
        "I5",
        () => `${id} applies ${entry.term}/${entry.index}, others applied ${known.term}`,
      );
      return digest;
    }
    check(this.#ledger.length === entry.index - 1, "I11", () => `ledger gap at ${entry.index}`);
    check(entry.index <= this.#commitIndex, "I6", () => `${id} applies uncommitted ${entry.index}`);
    const { term } = entry;
    this.#ledger.push({ term, hash: contentHash(entry), digest, knownInTerm: term });
    return digest;
  }

  /** I10: a snapshot holds what replaying the log would. */
  onInstall(id: NodeId, index: number, digest: number): void {
    check(this.digestAt(index) === digest, "I10", () => `${id} installs a wrong image at ${index}`);
  }

  /** C1: a read covers everything that was committed before it was asked. */
  onRead(id: NodeId, index: number, committedWhenAsked: number): void {
    check(
      index >= committedWhenAsked,
      "C1",
      () => `${id} reads at ${index}, ${committedWhenAsked} was committed before`,
    );
  }
}
