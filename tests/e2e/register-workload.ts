import { QuorateError, connect, type QuorateClient } from "@quorate/client";
import { setTimeout as sleep } from "node:timers/promises";
import type {
  HistoryRecord,
  Operation,
  OperationRecord,
  Outcome,
} from "../linearizability/history.ts";
import { poll } from "./poll.ts";

/** What the clients of a workload do. */
export interface WorkloadOptions {
  /** Each client gets all of them and picks one at random, as applications do. */
  readonly servers: readonly string[];
  /** Clients, from the first on, that know only these servers instead, and their sessions' timeout. */
  readonly others?: {
    readonly clients: number;
    readonly servers: readonly string[];
    readonly sessionTimeoutMs: number;
  };
  readonly clients: number;
  readonly paths: readonly string[];
  readonly sessionTimeoutMs: number;
  /** Operations that each client has open at once. Default 2, so that the order within a session is put to the test. */
  readonly pipeline?: number;
  /** Pause of each lane between two operations, ms. Default 15. */
  readonly thinkMs?: number;
  readonly seed: number;
}

const PROGRESS_MS = 40_000;
const CONNECT_MS = 20_000;

/** Clients that read and write shared registers until they are told to stop, and remember everything they saw. */
export class RegisterWorkload implements AsyncDisposable {
  readonly #options: WorkloadOptions;
  readonly #history: HistoryRecord[] = [];
  readonly #clients: QuorateClient[] = [];
  readonly #issuers: Issuer[] = [];
  readonly #lanes: Promise<void>[] = [];
  #isStopping = false;
  #completed = 0;

  private constructor(options: WorkloadOptions) {
    this.#options = options;
  }

  /** Connects the clients, creates the registers with the value "0", and begins. */
  static async start(options: WorkloadOptions): Promise<RegisterWorkload> {
    const workload = new RegisterWorkload(options);
    await workload.#connectAll();
    await workload.#createPaths();
    workload.#begin();
    return workload;
  }

  get history(): readonly HistoryRecord[] {
    return this.#history;
  }

  get clients(): readonly QuorateClient[] {
    return this.#clients;
  }

  /** Operations that have ended. */
  get completed(): number {
    return this.#completed;
  }

  noteFault(name: string): void {
    this.#history.push({ kind: "fault", name, atMs: performance.now() });
  }

  /** Notes a fault at a moment when at least `writes` writes are open, which are in doubt from then on. */
  async noteFaultInDoubt(name: string, writes: number): Promise<void> {
    await poll(`${writes} writes to be in doubt`, PROGRESS_MS, () => {
      if (this.#issuers.reduce((sum, issuer) => sum + issuer.openWrites, 0) < writes) return null;
      this.noteFault(name);
      return true;
    });
  }

  noteLeader(node: string, term: number): void {
    this.#history.push({ kind: "leader", node, term, atMs: performance.now() });
  }

  /** Returns once `count` more operations have ended. */
  async progress(count: number): Promise<void> {
    const goal = this.#completed + count;
    await poll(`${count} more operations`, PROGRESS_MS, () =>
      this.#completed >= goal ? true : null,
    );
  }

  /** Lets every open operation end, then returns the history. */
  async stop(): Promise<readonly HistoryRecord[]> {
    this.#isStopping = true;
    await Promise.all(this.#lanes);
    return this.#history;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#clients.map((client) => client.close()));
    await Promise.all(this.#lanes);
  }

  async #connectAll(): Promise<void> {
    const { clients, others } = this.#options;
    const connected = await Promise.all(
      Array.from({ length: clients }, (_, index) => {
        const isOther = others !== undefined && index < others.clients;
        const { servers, sessionTimeoutMs } = isOther ? others : this.#options;
        return connect({
          servers,
          sessionTimeoutMs,
          connectTimeoutMs: CONNECT_MS,
          name: `workload ${index}`,
        });
      }),
    );
    this.#clients.push(...connected);
  }

  async #createPaths(): Promise<void> {
    const [client] = this.#clients;
    for (const path of this.#options.paths) await client?.create(path, "0");
  }

  #begin(): void {
    const { pipeline = 2, seed } = this.#options;
    for (const [index, client] of this.#clients.entries()) {
      const issuer = new Issuer(index, client, this.#history);
      this.#issuers.push(issuer);
      for (let lane = 0; lane < pipeline; lane += 1) {
        const random = seededRandom(seed + index * 1_000 + lane);
        this.#lanes.push(this.#runLane(issuer, random));
      }
    }
  }

  async #runLane(issuer: Issuer, random: () => number): Promise<void> {
    const { paths, thinkMs = 15 } = this.#options;
    while (!this.#isStopping) {
      const path = paths[Math.floor(random() * paths.length)] ?? "/";
      const isOver = await issuer.one(path, random());
      this.#completed += 1;
      if (isOver) return;
      await sleep(thinkMs * (0.5 + random()));
    }
  }
}

/** Issues the operations of one client, in one order over all of its lanes. */
class Issuer {
  readonly #index: number;
  readonly #client: QuorateClient;
  readonly #history: HistoryRecord[];
  readonly #versions = new Map<string, number>();
  #sequence = 0;
  #openWrites = 0;

  constructor(index: number, client: QuorateClient, history: HistoryRecord[]) {
    this.#index = index;
    this.#client = client;
    this.#history = history;
  }

  get openWrites(): number {
    return this.#openWrites;
  }

  /** One operation; true when the session is over and no more can follow. */
  async one(path: string, dice: number): Promise<boolean> {
    this.#sequence += 1;
    const sequence = this.#sequence;
    const operation = this.#choose(path, dice, `${this.#index}-${sequence}`);
    const invokedMs = performance.now();
    const writes = operation.kind === "get" ? 0 : 1;
    this.#openWrites += writes;
    const outcome = await this.#perform(path, operation);
    this.#openWrites -= writes;
    const returnedMs = outcome.kind === "unknown" ? Infinity : performance.now();
    const record: OperationRecord = {
      kind: "operation",
      client: this.#index,
      sequence,
      path,
      operation,
      outcome,
      invokedMs,
      returnedMs,
    };
    this.#history.push(record);
    return this.#client.state.kind === "expired" || this.#client.state.kind === "closed";
  }

  #choose(path: string, dice: number, value: string): Operation {
    const version = this.#versions.get(path);
    if (dice < 0.35) return { kind: "get" };
    if (dice < 0.75 || version === undefined) return { kind: "set", value };
    return { kind: "compareAndSet", value, expectedVersion: version };
  }

  async #perform(path: string, operation: Operation): Promise<Outcome> {
    try {
      return await this.#ask(path, operation);
    } catch (error) {
      if (!(error instanceof QuorateError)) throw error;
      const kind = error.outcomeUnknown ? "unknown" : "fail";
      return { kind, code: error.code };
    }
  }

  async #ask(path: string, operation: Operation): Promise<Outcome> {
    if (operation.kind === "get") {
      const { data, stat } = await this.#client.get(path);
      this.#versions.set(path, stat.version);
      return succeeded(new TextDecoder().decode(data), stat.version, stat.mzxid);
    }
    if (operation.kind !== "set" && operation.kind !== "compareAndSet") {
      throw new Error(`this workload does not ${operation.kind}`);
    }
    const condition =
      operation.kind === "compareAndSet" ? { version: operation.expectedVersion } : {};
    const stat = await this.#client.set(path, operation.value, condition);
    this.#versions.set(path, stat.version);
    return succeeded(operation.value, stat.version, stat.mzxid);
  }
}

function succeeded(value: string, version: number, zxid: number): Outcome {
  return { kind: "ok", observed: { value, version }, zxid };
}

/** A small generator (mulberry32), so that a run's operations follow from its seed. */
function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
