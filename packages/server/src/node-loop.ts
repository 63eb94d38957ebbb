import type { CommandStamp } from "@quorate/kv-store";
import {
  term,
  type Entry,
  type HardState,
  type FetchWork,
  type Message,
  type PersistWork,
  type RaftInput,
  type RaftNode,
  type ReadState,
  type Ready,
  type SnapshotMeta,
  type SoftState,
  type StepResult,
} from "@quorate/raft";
import { assert } from "./assert.ts";
import { isDamage, type ServerError } from "./errors.ts";
import { PeerReads } from "./peer-reads.ts";
import { reached } from "./points.ts";
import type { MonotonicClock, Timer } from "./ports.ts";
import type { ProposalIntake } from "./proposal-intake.ts";
import { encodeEntries } from "./storage/entry-codec.ts";
import { isSameHardState } from "./storage/identity.ts";
import { Scratch } from "./storage/scratch.ts";

/** The core as the loop uses it. */
export type LoopCore = Pick<RaftNode, "step" | "takeReady">;

/** The durable log as the loop uses it. */
export interface LoopLog {
  /** Makes one piece of work durable; never called while another is under way. */
  persist(work: PersistWork, block: Uint8Array): Promise<void>;
  /** Null: compacted. */
  fetch(work: FetchWork): Promise<FetchedEntries | null>;
}

export interface FetchedEntries {
  readonly prevTerm: Extract<RaftInput, { readonly kind: "fetched" }>["prevTerm"];
  readonly entries: readonly Entry[];
}

/** What passed between two ticks, ms. */
export interface TickSpan {
  /** All of it. */
  readonly elapsedMs: number;
  /** Of it, what the process slept through. */
  readonly stalledMs: number;
  /** How much this node lets others age: what it was awake for, nothing while its disk does not answer. */
  readonly admittedMs: number;
}

/** Where the loop's effects go. All are called inside a turn, in the order of the spine. */
export interface LoopHooks {
  /** What happens in every turn before work is taken: things gathered since the last one are stepped or queued. */
  gather(): void;
  onSoftState(state: SoftState): void;
  /** Term or vote changed: resolves once the copy outside the log is durable. The log is written meanwhile. */
  onHardState(state: HardState): Promise<void>;
  send(message: Message): void;
  installSnapshot(meta: SnapshotMeta): void;
  apply(entries: readonly Entry[]): void;
  onReadState(state: ReadState): void;
  stamp(): CommandStamp;
  /** End of a turn: replies, events and messages leave. */
  flush(): void;
  /** One unit of logical time passed. */
  onTick(span: TickSpan): void;
  onPersisted(durationMs: number): void;
  /** What is stored is not what was written; the node goes on. */
  onDamage(error: ServerError): void;
  /** The node cannot go on. */
  onFatal(error: unknown): void;
}

export interface LoopOptions {
  readonly raft: LoopCore;
  readonly log: LoopLog;
  readonly clock: MonotonicClock;
  readonly intake: ProposalIntake;
  readonly tickMs: number;
  /** The core goes by the clock too. */
  readonly hasLeases: boolean;
  readonly hooks: LoopHooks;
}

/** Work in one turn ends after this; what is left waits for the next, so that sockets are read in between. */
const TURN_MS_MAX = 8;
/** A tick this late means that the process stood still. */
const STALL_TICKS = 10;

/**
 * The spine of a node: inbox, step, Ready, disk, wire, apply, outbox. The only caller of the core. It never waits for the
 * disk: a write's completion is an input like any other, and what arrives meanwhile is the next write.
 */
export class NodeLoop {
  readonly #raft: LoopCore;
  readonly #log: LoopLog;
  readonly #clock: MonotonicClock;
  readonly #intake: ProposalIntake;
  readonly #tickMs: number;
  readonly #hasLeases: boolean;
  readonly #hooks: LoopHooks;
  readonly #scratch = new Scratch();
  readonly #reads = new PeerReads((work) => this.#fetch(work));
  #inbox: RaftInput[] = [];
  #scheduled = false;
  #stopped = false;
  #persisting = false;
  #persistStartMs = 0;
  #writing: Promise<void> = Promise.resolve();
  #hardState: HardState;
  #blockEntries: readonly Entry[] = [];
  #block: Uint8Array = new Uint8Array(0);
  #ticker: Timer | null = null;
  #lastTickMs = 0;

  constructor(options: LoopOptions, hardState: HardState) {
    this.#raft = options.raft;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#intake = options.intake;
    this.#tickMs = options.tickMs;
    this.#hasLeases = options.hasLeases;
    this.#hooks = options.hooks;
    this.#hardState = hardState;
  }

  start(): void {
    this.#lastTickMs = this.#clock.nowMs();
    this.#ticker = this.#clock.every(this.#tickMs, () => this.#onTick());
    this.wake();
  }

  stop(): void {
    this.#stopped = true;
    this.#ticker?.cancel();
    this.#inbox = [];
  }

  /**
   * Resolves when no disk write is waited for any more. After one of the two copies of a vote has failed the other may still
   * be under way; closing its file waits for it.
   */
  settled(): Promise<void> {
    return this.#writing;
  }

  /** True while a disk write is under way: proposals gather for the next one. */
  get isPersisting(): boolean {
    return this.#persisting;
  }

  push(input: RaftInput): void {
    if (this.#stopped) return;
    this.#inbox.push(input);
    this.wake();
  }

  /** Makes sure that a turn follows. */
  wake(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    this.#clock.endOfTurn(() => this.#guarded());
  }

  /** Steps an input within the turn that is running. */
  step(input: RaftInput): StepResult {
    return this.#raft.step(input);
  }

  /** Steps an input outside of a turn; one follows. */
  stepNow(input: RaftInput): StepResult {
    const result = this.#raft.step(input);
    this.wake();
    return result;
  }

  /** The encoded form of entries that are being sent; the block of the last disk write where they are the same. */
  readonly blockFor = (entries: readonly Entry[]): Uint8Array => {
    const same =
      entries.length === this.#blockEntries.length &&
      entries[0] === this.#blockEntries[0] &&
      entries.at(-1) === this.#blockEntries.at(-1);
    return same ? this.#block : encodeEntries(entries);
  };

  #onTick(): void {
    const now = this.#clock.nowMs();
    const elapsedMs = now - this.#lastTickMs;
    this.#lastTickMs = now;
    const limit = STALL_TICKS * this.#tickMs;
    const isStalled = elapsedMs > limit;
    if (isStalled) reached("process_stood_still");
    // After standing still there may be heartbeats waiting in the sockets: they are read before time goes on.
    const ticks = isStalled ? 1 : Math.min(3, Math.max(1, Math.round(elapsedMs / this.#tickMs)));
    for (let count = 0; count < ticks; count += 1) this.push({ kind: "tick" });
    const awakeMs = Math.min(elapsedMs, limit);
    // While the disk stands still nobody can attach, so nobody may age.
    const isDiskStalled = this.#persisting && now - this.#persistStartMs > limit;
    if (isDiskStalled) reached("disk_stood_still");
    const admittedMs = isDiskStalled ? 0 : awakeMs;
    this.#hooks.onTick({ elapsedMs, stalledMs: elapsedMs - awakeMs, admittedMs });
  }

  #guarded(): void {
    try {
      this.#turn();
    } catch (error) {
      this.stop();
      this.#hooks.onFatal(error);
    }
  }

  #turn(): void {
    this.#scheduled = false;
    if (this.#stopped) return;
    const started = this.#clock.nowMs();
    const inputs = this.#inbox;
    this.#inbox = [];
    // Read after everything in the inbox had come: a lease that lasts now lasted when any of it was asked.
    if (this.#hasLeases) this.#raft.step({ kind: "clock", nowMs: started });
    for (const input of inputs) this.#raft.step(input);
    this.#hooks.gather();
    this.#propose();
    // What is found on the way may end the node: then nothing more is begun.
    while (!this.#stopped) {
      const ready = this.#raft.takeReady();
      if (ready === null) break;
      this.#work(ready);
      if (this.#clock.nowMs() - started > TURN_MS_MAX) {
        reached("turn_ended_for_the_sockets");
        this.wake();
        break;
      }
    }
    this.#hooks.flush();
  }

  #propose(): void {
    if (this.#persisting || this.#intake.count === 0) return;
    const commands = this.#intake.peek(this.#hooks.stamp());
    const result = this.#raft.step({ kind: "propose", commands });
    if (result.ok) this.#intake.drop(commands.length);
    else if (result.reason === "notLeader") {
      this.#intake.clear();
    } else {
      assert(result.reason !== "entryTooLarge", "intake_bounds_commands");
      reached("commands_held_back_by_the_core");
    }
  }

  #work(ready: Ready): void {
    if (ready.softState !== null) this.#hooks.onSoftState(ready.softState);
    if (ready.persist !== null) this.#persist(ready.persist);
    for (const message of ready.messages) this.#hooks.send(message);
    for (const fetch of ready.fetches) this.#reads.ask(fetch);
    if (ready.installSnapshot !== null) {
      this.#hooks.installSnapshot(ready.installSnapshot);
      this.#raft.step({ kind: "applied", index: ready.installSnapshot.index });
    }
    const last = ready.committed.at(-1);
    if (last !== undefined) {
      this.#hooks.apply(ready.committed);
      this.#raft.step({ kind: "applied", index: last.index });
    }
    for (const state of ready.reads) this.#hooks.onReadState(state);
  }

  #persist(work: PersistWork): void {
    this.#persisting = true;
    this.#blockEntries = work.entries;
    // The write before it is done, and frames hold copies.
    const block = encodeEntries(work.entries, this.#scratch);
    this.#block = block;
    const started = this.#clock.nowMs();
    this.#persistStartMs = started;
    const hasChanged = !isSameHardState(work.hardState, this.#hardState);
    this.#hardState = work.hardState;
    const copied = hasChanged ? this.#hooks.onHardState(work.hardState) : null;
    const written = this.#log.persist(work, block);
    // Side by side: a vote that takes a slow disk twice as long may come too late for every election.
    this.#writing = Promise.all([copied, written]).then(
      () => {
        this.#persisting = false;
        this.#hooks.onPersisted(this.#clock.nowMs() - started);
        this.push({ kind: "persisted", ticket: work.ticket });
      },
      (error: unknown) => this.#fatal(error),
    );
  }

  async #fetch(work: FetchWork): Promise<void> {
    if (this.#stopped) return;
    try {
      this.#fetched(work, await this.#log.fetch(work));
    } catch (error) {
      if (!isDamage(error)) {
        this.#fatal(error);
        return;
      }
      reached("damage_found_for_a_peer");
      this.#hooks.onDamage(error);
      // What cannot be read is as good as gone: the peer gets a snapshot.
      this.#fetched(work, null);
    }
  }

  #fetched({ peer, from }: FetchWork, fetched: FetchedEntries | null): void {
    const prevTerm = fetched?.prevTerm ?? term(0);
    this.push({ kind: "fetched", peer, from, prevTerm, entries: fetched?.entries ?? null });
  }

  #fatal(error: unknown): void {
    if (this.#stopped) return;
    this.stop();
    this.#hooks.onFatal(error);
  }
}
