import { decodeCommand, type Command, type DataTree } from "@quorate/kv-store";
import { zxid } from "@quorate/kv-store/protocol";
import { type ConfigEntry, type Entry, type LogIndex, type Term } from "@quorate/raft";
import type { ClientGateway } from "./client/client-gateway.ts";
import type { DigestExchange } from "./digest-exchange.ts";
import type { LeaderDuties } from "./leader-duties.ts";
import { reached } from "./points.ts";

export interface ApplierOptions {
  readonly gateway: ClientGateway;
  readonly duties: LeaderDuties;
  readonly digests: DigestExchange;
  onMembership(entry: ConfigEntry): void;
}

/**
 * Gives committed entries to the tree, in order and once, and passes on what comes of it. An entry that this build does
 * not understand ends the process: skipping it would make this replica another state than the rest.
 */
export class Applier {
  readonly #options: ApplierOptions;
  #tree: DataTree;
  #appliedIndex: LogIndex;
  #appliedTerm: Term;
  #appliedCount = 0;
  #bytesSinceCheckpoint = 0;
  #entriesSinceCheckpoint = 0;

  constructor(
    tree: DataTree,
    at: { readonly index: LogIndex; readonly term: Term },
    options: ApplierOptions,
  ) {
    this.#tree = tree;
    this.#appliedIndex = at.index;
    this.#appliedTerm = at.term;
    this.#options = options;
  }

  get tree(): DataTree {
    return this.#tree;
  }

  get appliedIndex(): LogIndex {
    return this.#appliedIndex;
  }

  get appliedTerm(): Term {
    return this.#appliedTerm;
  }

  /** Entries applied by this process. */
  get appliedCount(): number {
    return this.#appliedCount;
  }

  /** Bytes of commands applied since `noteCheckpoint`. */
  get bytesSinceCheckpoint(): number {
    return this.#bytesSinceCheckpoint;
  }

  /** Commands applied since `noteCheckpoint`. */
  get entriesSinceCheckpoint(): number {
    return this.#entriesSinceCheckpoint;
  }

  /** What was applied so far is about to be in the image. */
  noteCheckpoint(): void {
    this.#bytesSinceCheckpoint = 0;
    this.#entriesSinceCheckpoint = 0;
  }

  /** A snapshot took the place of everything up to its index. */
  install(tree: DataTree, index: LogIndex, term: Term): void {
    reached("state_replaced_by_snapshot");
    this.#tree = tree;
    this.#appliedIndex = index;
    this.#appliedTerm = term;
    this.noteCheckpoint();
    this.#options.duties.onSnapshotInstalled();
    this.#options.gateway.onSnapshotInstalled();
  }

  apply(entries: readonly Entry[]): void {
    for (const entry of entries) this.#applyEntry(entry);
    this.#appliedCount += entries.length;
  }

  #applyEntry(entry: Entry): void {
    const { index, term } = entry;
    if (entry.kind === "command") {
      const { stamp, command } = decodeCommand(entry.data);
      const outcome = this.#tree.apply(zxid(index), term, stamp, command);
      this.#bytesSinceCheckpoint += entry.data.length;
      this.#entriesSinceCheckpoint += 1;
      this.#options.gateway.onApplied(outcome);
      this.#options.duties.onResult(outcome.result);
      this.#noteExpiry(command, outcome.result.kind === "closed" ? outcome.result.sessions : []);
    } else {
      this.#tree.skipTo(zxid(index));
      if (entry.kind === "config") this.#options.onMembership(entry);
    }
    this.#appliedIndex = index;
    this.#appliedTerm = term;
    this.#options.duties.onApplied(term);
    const { digests } = this.#options;
    if (digests.isDue(index)) digests.own(index, this.#tree.digest());
  }

  #noteExpiry(command: Command, closed: Parameters<LeaderDuties["onExpiryApplied"]>[1]): void {
    if (command.kind === "expireSessions") {
      this.#options.duties.onExpiryApplied(command.sessions, closed);
    }
  }
}
