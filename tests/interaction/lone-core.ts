import {
  logIndex,
  nodeId,
  RaftNode,
  term,
  type Entry,
  type HardState,
  type LogIndex,
  type Message,
  type NodeId,
  type RaftConfig,
  type Ready,
  type RaftInput,
  type StepResult,
} from "@quorate/raft";
import { TracedStatus } from "../specification/traced-status.ts";
import { membershipOf } from "../support/members.ts";

/** Settings for tests of a single core: short timeouts, wide limits. */
export const loneConfig: Omit<RaftConfig, "id"> = {
  heartbeatTicks: 1,
  electionTicks: 5,
  appendEntriesMax: 16,
  appendBytesMax: 4_096,
  inflightEntriesMax: 64,
  inflightBytesMax: 16_384,
  memoryLogBytesMax: 65_536,
  uncommittedBytesMax: 4_096,
  entryBytesMax: 1_024,
  persistBytesMax: 65_536,
  applyBytesMax: 65_536,
  lease: null,
  seed: 7,
};

/** A no-op for each given term, from index 1 on. */
export function logOf(...terms: readonly number[]): readonly Entry[] {
  return terms.map((value, at) => ({ kind: "noop", term: term(value), index: logIndex(at + 1) }));
}

/** What a message of one kind holds beside its envelope. */
type Content<Kind extends Message["kind"]> = Omit<
  Extract<Message, { kind: Kind }>,
  "kind" | "from" | "to" | "term"
>;

interface LoneOptions {
  readonly voters?: readonly number[];
  readonly learners?: readonly number[];
  readonly terms?: readonly number[];
  readonly term?: number;
  readonly votedFor?: number | null;
  readonly config?: Partial<RaftConfig>;
}

/** One core (node 1) without company: a test plays everybody else and the disk. */
export class LoneCore {
  readonly core: RaftNode;
  /** Everything that left since the last `take`. */
  #messages: Message[] = [];
  #writing: Ready["persist"] = null;
  #readies: Ready[] = [];
  readonly #traced = new TracedStatus();
  /** Last of what was handed out and is not applied. Null: all is, or it is applied as it comes. */
  #unapplied: LogIndex | null = null;
  #isApplyHeld = false;

  constructor(options: LoneOptions = {}) {
    const { voters = [1, 2, 3], learners = [], terms = [] } = options;
    const { term: startTerm = terms.at(-1) ?? 0, votedFor = null } = options;
    const hardState: HardState = {
      term: term(startTerm),
      votedFor: votedFor === null ? null : nodeId(votedFor),
    };
    this.core = new RaftNode(
      { ...loneConfig, ...options.config, id: nodeId(1) },
      {
        hardState,
        snapshot: { index: logIndex(0), term: term(0), membership: membershipOf(voters, learners) },
        firstIndex: 1,
        entries: logOf(...terms),
      },
      (event) => this.#traced.take(event),
    );
    this.#drain();
    this.take();
  }

  get role(): string {
    return this.core.status().role;
  }

  get term(): number {
    return this.core.status().term;
  }

  get commitIndex(): number {
    return this.core.status().commitIndex;
  }

  get logTerms(): readonly number[] {
    const { firstIndex, lastIndex } = this.core.status();
    return this.core.entriesFrom(firstIndex, lastIndex).map((entry) => entry.term);
  }

  step(input: RaftInput): StepResult {
    const result = this.core.step(input);
    this.core.checkInvariants();
    this.#compareEvents();
    this.#drain();
    this.#compareEvents();
    return result;
  }

  tick(count = 1): void {
    for (let at = 0; at < count; at += 1) this.step({ kind: "tick" });
  }

  /** A message from another node. */
  receive<Kind extends Message["kind"]>(
    kind: Kind,
    envelope: { readonly from: number; readonly term: number },
    content: Content<Kind>,
  ): void {
    const from: NodeId = nodeId(envelope.from);
    const message = { kind, from, to: nodeId(1), term: term(envelope.term), ...content };
    this.step({ kind: "message", message: message as unknown as Message });
  }

  append(
    envelope: { readonly from: number; readonly term: number },
    prev: readonly [index: number, term: number],
    terms: readonly number[],
    commitIndex = 0,
  ): void {
    const entries: Entry[] = terms.map((value, at) => ({
      kind: "noop",
      term: term(value),
      index: logIndex(prev[0] + at + 1),
    }));
    this.receive("appendEntries", envelope, {
      prevIndex: logIndex(prev[0]),
      prevTerm: term(prev[1]),
      entries,
      commitIndex: logIndex(commitIndex),
    });
  }

  acknowledge(from: number, matchIndex: number): void {
    this.receive(
      "appendEntriesReply",
      { from, term: this.term },
      {
        ok: true,
        matchIndex: logIndex(matchIndex),
        rejectedIndex: logIndex(0),
        hintIndex: logIndex(0),
        hintTerm: term(0),
      },
    );
  }

  /** Refuses what follows `rejectedIndex`, with an empty log. */
  refuse(from: number, rejectedIndex: number): void {
    const none = logIndex(0);
    this.receive(
      "appendEntriesReply",
      { from, term: this.term },
      {
        ok: false,
        matchIndex: none,
        rejectedIndex: logIndex(rejectedIndex),
        hintIndex: none,
        hintTerm: term(0),
      },
    );
  }

  askVote(
    envelope: { readonly from: number; readonly term: number },
    last: readonly [index: number, term: number],
    options: { readonly preVote?: boolean; readonly transfer?: boolean } = {},
  ): void {
    this.receive("requestVote", envelope, {
      preVote: options.preVote ?? false,
      transfer: options.transfer ?? false,
      lastIndex: logIndex(last[0]),
      lastTerm: term(last[1]),
    });
  }

  vote(from: number, granted: boolean, options: { readonly preVote?: boolean } = {}): void {
    const preVote = options.preVote ?? false;
    const at = preVote && granted ? this.term + 1 : this.term;
    this.receive("requestVoteReply", { from, term: at }, { preVote, granted });
  }

  /** The write under way is durable. */
  persist(): void {
    const writing = this.#writing;
    if (writing === null) throw new Error("nothing is being written");
    this.#writing = null;
    this.step({ kind: "persisted", ticket: writing.ticket });
  }

  get isWriting(): boolean {
    return this.#writing !== null;
  }

  /** Completes writes until nothing is left to write. */
  persistAll(): void {
    while (this.#writing !== null) this.persist();
  }

  /** From now on nothing is applied. */
  holdApply(): void {
    this.#isApplyHeld = true;
  }

  /** Everything that was handed out is applied, and what follows as it comes. */
  applyAll(): void {
    const index = this.#unapplied;
    this.#isApplyHeld = false;
    this.#unapplied = null;
    if (index !== null) this.step({ kind: "applied", index });
  }

  /** Ticks until the core asks around. */
  awaitCampaign(): void {
    for (let at = 0; at < 20 && this.role === "follower"; at += 1) this.tick();
  }

  /** Has node 2 elect this one; the no-op is durable. */
  lead(): void {
    this.awaitCampaign();
    this.vote(2, true, { preVote: true });
    this.persistAll();
    this.vote(2, true);
    this.persistAll();
    this.take();
  }

  /** What left since the last call, by kind if one is given. */
  take<Kind extends Message["kind"]>(kind?: Kind): readonly Extract<Message, { kind: Kind }>[] {
    const messages = this.#messages;
    this.#messages = [];
    const isWanted = (message: Message): message is Extract<Message, { kind: Kind }> =>
      kind === undefined || message.kind === kind;
    return messages.filter(isWanted);
  }

  /** Work lists since the last call. */
  takeReadies(): readonly Ready[] {
    const readies = this.#readies;
    this.#readies = [];
    return readies;
  }

  /** Whatever changes has an event. */
  #compareEvents(): void {
    const difference = this.#traced.differenceTo(this.core.status());
    if (difference !== null) throw new Error(difference);
  }

  #drain(): void {
    for (;;) {
      const ready = this.core.takeReady();
      if (ready === null) return;
      this.#readies.push(ready);
      this.#messages.push(...ready.messages);
      if (ready.persist !== null) this.#writing = ready.persist;
      const last = ready.committed.at(-1);
      if (last === undefined) continue;
      if (this.#isApplyHeld) this.#unapplied = last.index;
      else this.core.step({ kind: "applied", index: last.index });
    }
  }
}
