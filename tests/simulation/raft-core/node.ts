import {
  describeTraceEvent,
  indexAfter,
  logIndex,
  RaftNode,
  type LogIndex,
  type Membership,
  type Message,
  type NodeId,
  type PersistWork,
  type RaftConfig,
  type RaftInput,
  type Ready,
  type Role,
  type StepResult,
  type Term,
  type TraceEvent,
} from "@quorate/raft";
import { TracedStatus } from "../../specification/traced-status.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";
import type { Image, SimDisk } from "./disk.ts";
import type { SimRandom } from "./random.ts";
import type { Schedule } from "./schedule.ts";

/** What a simulated host needs of the world. */
export interface NodeWorld {
  readonly schedule: Schedule;
  readonly checker: Checker;
  readonly disks: ReadonlyMap<NodeId, SimDisk>;
  readonly random: SimRandom;
  /** How long the next disk write takes. */
  writeUs(): number;
  tickUs(): number;
  /** Of the host's monotonic clock. */
  nowMs(): number;
  turnUs(): number;
  applyDelayUs(): number;
  imageEvery(): number;
  keepBehind(): number;
  /** True if the node is to lose power in the middle of this turn. */
  crashesNow(): boolean;
  send(message: Message): void;
  sendImage(message: Extract<Message, { kind: "installSnapshot" }>, image: Image | null): void;
  onRole(id: NodeId, role: Role): void;
  /** A leader committed something for the first time in its term. */
  onFirstCommit(id: NodeId): void;
  crash(id: NodeId): void;
  /** Keeps one line of what happened, if anybody wants to read it. */
  trace(line: () => string): void;
  /** Judged by what all cores have done before. */
  onEvent(id: NodeId, event: TraceEvent): void;
}

interface OpenRead {
  readonly committedWhenAsked: number;
}

/** The host of one core: carries out its work on a simulated disk and network, and reports everything to the checker. */
export class SimNode {
  readonly id: NodeId;
  readonly disk: SimDisk;
  readonly #world: NodeWorld;
  readonly #config: RaftConfig;
  #core: RaftNode | null = null;
  #traced = new TracedStatus();
  /** Rises with every start: what belongs to an earlier life is dropped. */
  #life = 0;
  #isTurnDue = false;
  #writing: PersistWork | null = null;
  #applied = 0;
  #digest = 0;
  #membership: Membership;
  #commitIndex = 0;
  #role: Role = "follower";
  /** The last term that this life led; 0 before it led any. */
  #ledTerm = 0;
  #hasCommitted = false;
  #readCounter = 0;
  readonly #reads = new Map<number, OpenRead>();
  readsAnswered = 0;

  constructor(config: RaftConfig, disk: SimDisk, world: NodeWorld) {
    this.#config = config;
    this.id = config.id;
    this.disk = disk;
    this.#world = world;
    this.#membership = disk.newestImage().meta.membership;
  }

  get isUp(): boolean {
    return this.#core !== null;
  }

  get role(): Role {
    return this.#role;
  }

  get applied(): number {
    return this.#applied;
  }

  get digest(): number {
    return this.#digest;
  }

  get core(): RaftNode {
    if (this.#core === null) throw new Error(`node ${this.id} is down`);
    return this.#core;
  }

  start(): void {
    const { initial, image } = this.disk.load();
    this.#life += 1;
    this.#applied = image.meta.index;
    this.#digest = image.digest;
    this.#membership = image.meta.membership;
    this.#commitIndex = 0;
    this.#role = "follower";
    this.#ledTerm = 0;
    this.#traced = new TracedStatus();
    this.#core = new RaftNode(this.#config, initial, (event) => this.#onEvent(event));
    this.#tickLater(this.#life);
    this.#turn();
  }

  /** Power off: a write under way is on disk or it is not. */
  stop(): void {
    if (this.#core === null) return;
    const writing = this.#writing;
    if (writing !== null && this.#world.random.chance(0.5)) this.#commitWrite(writing);
    this.#writing = null;
    this.#core = null;
    this.#role = "follower";
    this.#isTurnDue = false;
    this.#reads.clear();
    this.#life += 1;
  }

  /** Steps an input and has the work taken at the end of the turn. */
  step(input: RaftInput): StepResult {
    const { core } = this;
    this.#tellClock(core);
    const result = core.step(input);
    core.checkInvariants();
    this.#observe(core);
    if (!this.#isTurnDue) {
      this.#isTurnDue = true;
      this.#later(this.#world.turnUs(), () => this.#turn());
    }
    return result;
  }

  /** Asks for a linearizable read, which has to cover everything committed by now. */
  read(): void {
    this.#readCounter += 1;
    const counter = this.#readCounter;
    this.#reads.set(counter, { committedWhenAsked: this.#world.checker.commitIndex });
    this.step({ kind: "readIndex", context: { nonce: this.id, counter } });
  }

  receiveImage(message: Extract<Message, { kind: "installSnapshot" }>, image: Image): void {
    this.disk.addImage(image);
    this.step({ kind: "message", message });
  }

  #later(delay: number, run: () => void): void {
    const life = this.#life;
    this.#world.schedule.after(delay, () => {
      if (this.#life === life) run();
    });
  }

  #tickLater(life: number): void {
    this.#world.schedule.after(this.#world.tickUs(), () => {
      if (this.#life !== life) return;
      this.step({ kind: "tick" });
      this.#tickLater(life);
    });
  }

  #tellClock(core: RaftNode): void {
    if (this.#config.lease !== null) core.step({ kind: "clock", nowMs: this.#world.nowMs() });
  }

  #turn(): void {
    this.#isTurnDue = false;
    if (this.#core !== null) this.#tellClock(this.#core);
    for (;;) {
      const core = this.#core;
      if (core === null) return;
      const ready = core.takeReady();
      if (ready === null) return;
      this.#carryOut(ready);
    }
  }

  /** Any of these may be as far as it gets when the power fails. */
  #carryOut(ready: Ready): void {
    const steps: (() => void)[] = [];
    const { persist, installSnapshot } = ready;
    steps.push(() => {
      for (const message of ready.messages) this.#send(message);
    });
    if (persist !== null) steps.unshift(() => this.#beginWrite(persist));
    if (installSnapshot !== null) steps.push(() => this.#install(installSnapshot.index));
    if (ready.committed.length > 0) steps.push(() => this.#apply(ready));
    steps.push(() => {
      for (const { context, index } of ready.reads) this.#answerRead(context.counter, index);
      for (const fetch of ready.fetches) this.#fetch(fetch);
    });
    for (const step of steps) {
      if (this.#world.crashesNow()) {
        this.#world.crash(this.id);
        return;
      }
      step();
    }
  }

  #onEvent(event: TraceEvent): void {
    this.#traced.take(event);
    this.#world.trace(() => `  ${this.id} ${describeTraceEvent(event)}`);
    this.#world.onEvent(this.id, event);
  }

  #observe(core: RaftNode): void {
    const status = core.status();
    const difference = this.#traced.differenceTo(status);
    if (difference !== null) throw new Violation("T1 events", `${this.id}: ${difference}`);
    const { checker, disks } = this.#world;
    const isNew = this.#role !== status.role;
    this.#role = status.role;
    if (status.role === "leader" && isNew) {
      this.#ledTerm = status.term;
      this.#hasCommitted = false;
      checker.onLeader(this.id, status.term, (index) => this.#termAt(core, index));
    }
    // A leader may commit its own removal and be none any more in one step.
    if (status.term === this.#ledTerm && status.commitIndex > this.#commitIndex) {
      const term = this.#termAt(core, status.commitIndex);
      if (term !== "compacted" && term !== "missing") {
        const commit = { index: status.commitIndex, term, leaderTerm: status.term };
        checker.onCommit(commit, status.membership, disks);
      }
      if (!this.#hasCommitted) this.#world.onFirstCommit(this.id);
      this.#hasCommitted = true;
    }
    if (status.commitIndex < this.#commitIndex) {
      throw new Violation("I6", `commitIndex of ${this.id} falls to ${status.commitIndex}`);
    }
    this.#commitIndex = status.commitIndex;
    if (isNew) this.#world.onRole(this.id, status.role);
  }

  #termAt(core: RaftNode, index: number): Term | "compacted" | "missing" {
    const { firstIndex, lastIndex } = core.status();
    if (index > lastIndex) return "missing";
    if (index < firstIndex) return "compacted";
    const at = logIndex(index);
    return core.entriesFrom(at, at)[0]?.term ?? "missing";
  }

  #send(message: Message): void {
    if (message.kind !== "installSnapshot") {
      this.#world.send(message);
      return;
    }
    this.#world.sendImage(message, this.disk.imageAt(message.snapshot.index));
  }

  #beginWrite(work: PersistWork): void {
    if (this.#writing !== null) throw new Violation("disk", "two writes at once");
    this.#writing = work;
    this.#later(this.#world.writeUs(), () => this.#endWrite(work));
  }

  #endWrite(work: PersistWork): void {
    if (this.#writing !== work) return;
    this.#commitWrite(work);
    this.#writing = null;
    this.step({ kind: "persisted", ticket: work.ticket });
  }

  /** A disk that was slow is so no more. */
  finishWrite(): void {
    if (this.#writing !== null) this.#endWrite(this.#writing);
  }

  #commitWrite(work: PersistWork): void {
    const { checker } = this.#world;
    const before = this.disk.hardState;
    const first = work.entries[0];
    const base = work.snapshot;
    const termBefore =
      first === undefined
        ? null
        : base !== null && base.index === first.index - 1
          ? base.term
          : this.disk.termAt(first.index - 1);
    checker.onWrite(work, termBefore);
    this.disk.write(work);
    checker.onDurable(this.id, before, work.hardState);
  }

  #install(index: LogIndex): void {
    const image = this.disk.imageAt(index);
    if (image === null) throw new Violation("I10", `${this.id} has no image at ${index}`);
    this.#world.checker.onInstall(this.id, index, image.digest);
    if (index <= this.#applied) throw new Violation("I11", `${this.id} goes back to ${index}`);
    this.#applied = index;
    this.#digest = image.digest;
    this.#membership = image.meta.membership;
    this.step({ kind: "applied", index });
  }

  #apply(ready: Ready): void {
    for (const entry of ready.committed) {
      const state = { applied: this.#applied, digest: this.#digest };
      this.#digest = this.#world.checker.onApply(this.id, entry, state);
      this.#applied = entry.index;
      if (entry.kind === "config") this.#membership = entry.membership;
      this.#imageIfDue(entry);
    }
    const index = logIndex(this.#applied);
    this.#later(this.#world.applyDelayUs(), () => this.step({ kind: "applied", index }));
  }

  #imageIfDue(entry: { readonly index: LogIndex; readonly term: Term }): void {
    const every = this.#world.imageEvery();
    if (every === 0 || entry.index % every !== 0) return;
    const meta = { index: entry.index, term: entry.term, membership: this.#membership };
    const image = { meta, digest: this.#digest };
    this.#later(this.#world.writeUs(), () => {
      if (this.disk.termAt(meta.index) !== meta.term) return;
      this.disk.addImage(image);
      this.disk.forgetThrough(meta.index - this.#world.keepBehind());
      this.step({ kind: "compact", snapshot: meta });
    });
  }

  #answerRead(counter: number, index: LogIndex | null): void {
    const read = this.#reads.get(counter);
    if (read === undefined) throw new Violation("C1", `${this.id} answers a read twice`);
    this.#reads.delete(counter);
    if (index === null) return;
    this.readsAnswered += 1;
    this.#world.checker.onRead(this.id, index, read.committedWhenAsked);
  }

  #fetch(fetch: Ready["fetches"][number]): void {
    this.#later(this.#world.writeUs(), () => {
      const { prevTerm, entries } = this.disk.read(fetch.from, fetch.to);
      let end = entries === null ? fetch.from : indexAfter(fetch.from, entries.length);
      while (end > fetch.from + 1 && (end - fetch.from) * 100 > fetch.bytesMax) {
        end = logIndex(end - 1);
      }
      const within = entries?.slice(0, end - fetch.from) ?? null;
      this.step({ kind: "fetched", peer: fetch.peer, from: fetch.from, prevTerm, entries: within });
    });
  }
}
