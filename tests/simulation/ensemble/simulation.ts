import { QuorateError, type QuorateClient } from "@quorate/client";
import { checkHistory } from "../../linearizability/checker.ts";
import { present } from "../../linearizability/register-model.ts";
import { findSessionDisorder } from "../../linearizability/session-order.ts";
import { findSpuriousRefusal } from "../../linearizability/spurious-refusals.ts";
import { checkWitness } from "../../linearizability/witness.ts";
import { Violation } from "../violation.ts";
import { Aftermath } from "./aftermath.ts";
import { Application } from "./application.ts";
import { checkBackups } from "./backups.ts";
import { BurstWork } from "./burst-work.ts";
import { CounterWork } from "./counter-work.ts";
import { describeNode } from "./describe-node.ts";
import { ElectionWork } from "./election-work.ts";
import { EphemeralWork } from "./ephemeral-work.ts";
import type { FaultEvent } from "./fault-event.ts";
import { findLeftOver } from "./left-over.ts";
import { Nemesis, type ClientSite, type Strikes } from "./nemesis.ts";
import type { Fault, Profile, WorkName } from "./profile.ts";
import { RefusalWork } from "./refusal-work.ts";
import { RegisterWork } from "./register-work.ts";
import { SequenceWork } from "./sequence-work.ts";
import { serves } from "./serves.ts";
import { SimClient } from "./sim-client.ts";
import type { Print } from "./trace.ts";
import { checkWatches } from "./watch-check.ts";
import { WatchWork } from "./watch-work.ts";
import { World } from "./world.ts";

/** What one run did. */
export interface RunResult {
  readonly seed: number;
  readonly simulatedMs: number;
  /** Of that, while clients were at work. */
  readonly loadedMs: number;
  readonly events: number;
  /** Calls of clients on paths that they share which were answered. */
  readonly operations: number;
  readonly increments: number;
  readonly watched: number;
  /** Backups that were taken whole. */
  readonly backups: number;
  /** Of the cores, each of which the specification allowed. */
  readonly coreEvents: number;
  readonly faults: ReadonlyMap<Fault, number>;
  /** The same, as a plan. */
  readonly happened: readonly FaultEvent[];
  /** Sectors that were written and not synced, and that crashes took back: lost and torn writes. */
  readonly sectorsLost: number;
  readonly strikes: Strikes;
  readonly traceHash: string;
}

/** A run that broke a promise, with what led to it. */
export class RunFailure extends Error {
  override readonly name = "RunFailure";
  readonly lines: readonly string[];
  /** The promise. */
  readonly rule: string;
  /** The faults that led to it. */
  readonly happened: readonly FaultEvent[];

  constructor({ profile, trace, nodes }: World, happened: readonly FaultEvent[], cause: unknown) {
    const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    const states = nodes.map((node) => `  ${describeNode(node)}`).join("\n");
    super(`seed ${profile.seed}: ${text}\n${states}`, { cause });
    this.lines = trace.lines;
    this.rule = cause instanceof Violation ? cause.rule : String(cause);
    this.happened = happened;
  }
}

const FORMATION_MS = 20_000;
const RECOVERY_MS = 60_000;
const DRAIN_MS = 60_000;
const POLL_MS = 50;
/** Those whose calls are on paths that all share. */
const SHARED_WORKS: ReadonlySet<WorkName> = new Set(["registers", "counter", "sequence"]);
/** Per path: a search that finds no order within it says nothing. */
const SEARCH_STEPS_MAX = 300_000;
/** Registers are there before anybody uses them. */
const CREATED = present("0", 0);

/**
 * Runs one seed from the first start of its ensemble to the last check. `planned`: what goes wrong, instead of what the
 * profile would draw. Throws `RunFailure`.
 */
export async function simulate(
  profile: Profile,
  print: Print | null = null,
  planned: readonly FaultEvent[] | null = null,
  traces: string | null = null,
): Promise<RunResult> {
  const world = new World(profile, print, traces);
  const simulation = new Simulation(world, planned);
  const onUnhandled = (error: unknown): void => {
    world.fail(new Violation("unhandled rejection", String(error)));
  };
  process.on("unhandledRejection", onUnhandled);
  try {
    return await simulation.run();
  } catch (error) {
    throw new RunFailure(world, simulation.happened, error);
  } finally {
    process.off("unhandledRejection", onUnhandled);
    world.cores[Symbol.dispose]();
  }
}

class Simulation {
  readonly #world: World;
  readonly #registers: RegisterWork;
  readonly #counter: CounterWork;
  readonly #ephemerals: EphemeralWork;
  readonly #watches: WatchWork;
  readonly #sites: readonly ClientSite[];
  readonly #nemesis: Nemesis;
  #sessions = 0;

  constructor(world: World, planned: readonly FaultEvent[] | null) {
    this.#world = world;
    this.#watches = new WatchWork(world);
    this.#registers = new RegisterWork(world, this.#watches);
    this.#counter = new CounterWork(world);
    this.#ephemerals = new EphemeralWork(world);
    const sequences = new SequenceWork(world);
    const refusals = new RefusalWork(world);
    const all = [
      this.#registers,
      this.#counter,
      this.#watches,
      this.#ephemerals,
      sequences,
      refusals,
      new BurstWork(world),
      new ElectionWork(world),
    ];
    const works = all.filter(({ name }) => this.#does(name));
    const readers = this.#does(this.#registers.name) ? world.profile.readers : 0;
    const reading = [this.#registers.reading, ...works.filter((work) => work === this.#watches)];
    const nextNumber = (): number => {
      this.#sessions += 1;
      return this.#sessions;
    };
    this.#sites = Array.from({ length: world.profile.clients }, (_, at) => {
      const host = new SimClient(world, at + 1);
      const isReader = at > 0 && at >= world.profile.clients - readers;
      const application = new Application(world, host, isReader ? reading : works, nextNumber);
      return { host, application };
    });
    this.#nemesis = new Nemesis(world, this.#sites, planned);
  }

  get happened(): readonly FaultEvent[] {
    return this.#nemesis.happened;
  }

  async run(): Promise<RunResult> {
    const { time, nodes, profile, trace, cores, load } = this.#world;
    for (const node of nodes) if (node.isEnlisted) node.start();
    await this.#wait("the ensemble to form", FORMATION_MS, () => this.#isServing());
    const loadedFromMs = time.nowMs;
    load.start();
    for (const { application } of this.#sites) application.start();
    this.#nemesis.start();
    await time.runUntil(time.nowMs + profile.durationMs, () => this.#world.hasFailed);
    this.#rethrow();
    this.#nemesis.stop();
    const loadedMs = time.nowMs - loadedFromMs;
    const operations = load.answered;
    await this.#recover();
    await this.#end();
    this.#checkHistories();
    return {
      seed: profile.seed,
      simulatedMs: time.nowMs,
      loadedMs,
      events: time.events,
      operations,
      increments: this.#counter.done,
      backups: this.#world.backups.taken.length,
      watched: this.#watches.watched.reduce((sum, { events }) => sum + events.length, 0),
      faults: this.#nemesis.counts,
      sectorsLost: nodes.reduce((sum, node) => sum + node.sectorsLost, 0),
      strikes: this.#nemesis.strikes,
      happened: this.#nemesis.happened,
      coreEvents: cores.specification.events,
      traceHash: trace.hash,
    };
  }

  /** Once nothing is broken any more everything works again, without anybody's help. */
  async #recover(): Promise<void> {
    await this.#wait("all nodes to serve again", RECOVERY_MS, () => this.#isServing());
    await this.#wait("removed members to know it", RECOVERY_MS, () => this.#isNobodyAstray());
    await this.#wait("the preferred node to lead", RECOVERY_MS, () => this.#doesPreferredLead());
    const { load, profile } = this.#world;
    const enough = load.answered + 4 * this.#sites.length;
    const isWorking = profile.works.some((name) => SHARED_WORKS.has(name));
    await this.#wait("operations to succeed again", RECOVERY_MS, () => {
      return !isWorking || load.answered >= enough;
    });
    await this.#wait("all nodes to be ready", RECOVERY_MS, () => this.#isReady());
    await new Aftermath(this.#world, this.#sites, {
      isWorking,
      isReady: () => this.#isReady(),
      wait: (what, limitMs, isDone) => this.#wait(what, limitMs, isDone),
      readOnce: (what, look) => this.#readOnce(what, look),
    }).run();
  }

  /** Everybody finishes, and all nodes come to rest in the same state. */
  async #end(): Promise<void> {
    for (const { application } of this.#sites) application.quiet();
    await this.#wait("works to end", DRAIN_MS, () =>
      this.#sites.every(({ application }) => application.open === 0),
    );
    await this.#readCounter();
    let isClosed = false;
    Promise.all(this.#sites.map(({ application }) => application.end())).then(
      () => {
        isClosed = true;
      },
      (error: unknown) => this.#world.fail(error),
    );
    await this.#wait("sessions to close", DRAIN_MS, () => isClosed);
    await this.#wait("all nodes to rest in one state", DRAIN_MS, () => this.#isAtRest());
    await this.#readEphemerals();
    await this.#wait("backups of all members", DRAIN_MS, () => this.#backUpMembers());
    await this.#drain();
  }

  async #readEphemerals(): Promise<void> {
    if (!this.#does("ephemeral")) return;
    await this.#readOnce("the ephemerals", async (client) => {
      this.#ephemerals.check((await client.children("/e")).names);
    });
  }

  /** Queues run empty, and nothing that was taken is kept. */
  async #drain(): Promise<void> {
    const hosts = this.#sites.map(({ host }) => host);
    const found = (): readonly string[] => findLeftOver(this.#world, hosts);
    const isDone = (): boolean => found().length === 0;
    await this.#until(DRAIN_MS, isDone, () => new Violation("V3 drained", found().join(", ")));
  }

  #does(name: WorkName): boolean {
    return this.#world.profile.works.includes(name);
  }

  async #readCounter(): Promise<void> {
    if (!this.#does("counter")) return;
    await this.#readOnce("the counter", async (client) => {
      const { data } = await client.get("/counter");
      this.#counter.check(Number(new TextDecoder().decode(data)));
    });
  }

  /** Looks at something in a session of its own, and again in another where a slow disk cost it its session. */
  async #readOnce(what: string, look: (client: QuorateClient) => Promise<void>): Promise<void> {
    const [site] = this.#sites;
    if (site === undefined) return;
    let isDone = false;
    const read = async (): Promise<void> => {
      try {
        const client = await site.host.connect();
        // The bundle runs as it is, and this runtime knows no `await using`.
        try {
          await look(client);
        } finally {
          await client.close();
        }
      } catch (error) {
        if (!(error instanceof QuorateError)) throw error;
        return read();
      }
      isDone = true;
    };
    read().catch((error: unknown) => this.#world.fail(error));
    await this.#wait(what, DRAIN_MS, () => isDone);
  }

  #isServing(): boolean {
    return this.#world.members()?.every(({ server }) => serves(server)) ?? false;
  }

  #isReady(): boolean {
    const members = this.#world.members();
    return members !== null && members.every(({ server }) => server?.notReady().length === 0);
  }

  /** Nobody runs who was a member and is none any more. */
  #isNobodyAstray(): boolean {
    const { nodes, profile } = this.#world;
    const members = this.#world.members();
    if (members === null) return false;
    // All configurations name the founders alone: where none is left nobody finds the members of today.
    const isFindable = nodes.slice(0, profile.nodes).some((founder) => members.includes(founder));
    return !isFindable || nodes.every((node) => !node.wasMember || members.includes(node));
  }

  #doesPreferredLead(): boolean {
    const { profile } = this.#world;
    if (!profile.isRanked) return true;
    const preferred = this.#world.voters().at(-1);
    return preferred !== undefined && preferred === this.#world.leader();
  }

  #isAtRest(): boolean {
    const members = this.#world.members() ?? [];
    const statuses = members.flatMap(({ server }) => server?.status() ?? []);
    const [first] = statuses;
    if (first === undefined || statuses.length < members.length) return false;
    if (statuses.some(({ zxid }) => zxid !== first.zxid)) return false;
    const other = statuses.find(({ digest }) => digest !== first.digest);
    if (other !== undefined) {
      const text = `at ${first.zxid} ${first.name} has ${first.digest}, ${other.name} ${other.digest}`;
      throw new Violation("I12 equal digests", text);
    }
    // Sessions whose owner died are gone after their timeout, and what they owned with them.
    return first.sessions === 0;
  }

  /** Asks for those that are missing; true once there is one of every member as it is now. */
  #backUpMembers(): boolean {
    const { backups } = this.#world;
    const missing = (this.#world.members() ?? []).filter(({ name, server }) => {
      const status = server?.status();
      const taken = backups.taken.findLast(({ node }) => node === name);
      if (status === undefined || taken?.zxid !== status.zxid) return true;
      if (taken.digest === status.digest) return false;
      const text = `${name} has ${status.digest} at ${taken.zxid}, its backup ${taken.digest}`;
      throw new Violation("B equal", text);
    });
    for (const node of missing) {
      if (node.server?.status().underWay.backups === 0) backups.take(node, false, 0);
    }
    return missing.length === 0;
  }

  #checkHistories(): void {
    const { history } = this.#registers;
    // An order that explains everything is a proof. Where the revisions give none, the search tells what is wrong.
    const witness = checkWitness(history, () => CREATED);
    if (witness.kind !== "ok") {
      const verdict = checkHistory(history, {
        initial: () => CREATED,
        stepBudget: SEARCH_STEPS_MAX,
      });
      if (verdict.kind === "violation") throw new Violation("C1 linearizable", verdict.explanation);
    }
    if (witness.kind === "violation") throw new Violation("C1 witness", witness.explanation);
    const disorder = findSessionDisorder(history);
    if (disorder !== null) throw new Violation("C2 FIFO", disorder);
    const refusal = findSpuriousRefusal(history);
    if (refusal !== null) throw new Violation("C1 refusals", refusal);
    checkWatches(this.#watches.watched, history);
    checkBackups(this.#world.backups.taken, history);
  }

  #wait(what: string, limitMs: number, isDone: () => boolean): Promise<void> {
    const text = `waited ${limitMs} ms in vain for ${what}`;
    return this.#until(limitMs, isDone, () => new Violation("V liveness", text));
  }

  async #until(limitMs: number, isDone: () => boolean, violation: () => Violation): Promise<void> {
    const { time } = this.#world;
    const endMs = time.nowMs + limitMs;
    while (!isDone()) {
      this.#rethrow();
      if (time.nowMs >= endMs) throw violation();
      await time.runUntil(time.nowMs + POLL_MS, () => this.#world.hasFailed);
    }
    this.#rethrow();
  }

  #rethrow(): void {
    const { failure } = this.#world;
    if (failure !== null) throw failure;
  }
}
