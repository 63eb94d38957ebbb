import { setTimeout as sleep } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { randomPool, runClosedLoop, type Operation } from "../closed-loop.ts";
import {
  itemPath,
  type ConnectOrder,
  type DriverEvent,
  type EphemeralsOrder,
  type FanoutOrder,
  type FillOrder,
  type Order,
  type OperationKind,
  type ReadOrder,
  type Results,
  type RunOrder,
  type RunResult,
  type ValueMark,
} from "../protocol.ts";
import { Acknowledged, WriteGaps } from "./acknowledged.ts";
import { runOpenLoop } from "./open-loop.ts";
import type { Connect, SessionPort } from "./session-port.ts";
import { Writers } from "./writers.ts";

/** Tells the harness that measuring has begun or ended. */
export type Tell = (event: DriverEvent) => void;

const POOL_COUNT = 1024;
const POOL_BYTES_MAX = 8 << 20;
const READS_OF_TEN = 9;
const OUTSTANDING_READS = 256;
const CONNECTS_AT_ONCE = 100;
const FANOUT_TIMEOUT_MS = 30_000;

/** Obeys the orders of the harness on sessions that `connect` opens. */
export class Driver {
  readonly #connect: Connect;
  #sessions: readonly SessionPort[] = [];
  #servers: readonly string[] = [];
  #sessionTimeoutMs = 0;
  #acknowledged = new Acknowledged(0);
  #writers: Writers | null = null;

  constructor(connect: Connect) {
    this.#connect = connect;
  }

  async obey(order: Order, tell: Tell): Promise<Results[keyof Results]> {
    switch (order.command) {
      case "connect":
        return this.#open(order);
      case "fill":
        return this.#fill(order);
      case "run":
        return this.#run(order, tell);
      case "acknowledged":
        return { values: this.#acknowledged.list() };
      case "read":
        return this.#read(order);
      case "children":
        return { count: await this.#first().childCount(order.directory) };
      case "writers-start":
        this.#writers = await Writers.start(this.#connect, order);
        return {};
      case "writers-mark":
        this.#writers?.mark();
        return {};
      case "writers-silence":
        return { silentMs: this.#writers?.silentMs() ?? [] };
      case "writers-stop":
        return (await this.#writers?.stop()) ?? { gapsMs: [], revisions: [], writes: 0 };
      case "fanout":
        return this.#fanout(order);
      case "ephemerals":
        return this.#createEphemerals(order);
    }
  }

  async #open({ servers, sessionTimeoutMs }: ConnectOrder): Promise<object> {
    this.#servers = servers;
    this.#sessionTimeoutMs = sessionTimeoutMs;
    const sessions: SessionPort[] = [];
    for (let at = 0; at < servers.length; at += CONNECTS_AT_ONCE) {
      const some = servers.slice(at, at + CONNECTS_AT_ONCE);
      const opened = some.map((server) => this.#connect([server], sessionTimeoutMs));
      sessions.push(...(await Promise.all(opened)));
    }
    this.#sessions = sessions;
    return {};
  }

  async #fill(order: FillOrder): Promise<Results["fill"]> {
    const { directory, from, to, outstanding } = order;
    const pool = poolOf(order.bytes);
    await this.#first().ensure(directory);
    const started = performance.now();
    let next = from;
    await this.#together(outstanding, async (session) => {
      while (next < to) {
        const at = next;
        next += 1;
        await session.create(itemPath(directory, at), pool[at % pool.length] ?? NO_DATA);
      }
    });
    return { elapsedMs: performance.now() - started, crcs: pool.map((value) => crc32(value)) };
  }

  async #together(count: number, task: (session: SessionPort) => Promise<void>): Promise<void> {
    const sessions = this.#sessions;
    const tasks = Array.from({ length: count }, async (_, at) => {
      const session = sessions[at % sessions.length];
      if (session !== undefined) await task(session);
    });
    await Promise.all(tasks);
  }

  async #run(order: RunOrder, tell: Tell): Promise<RunResult> {
    const { directory, ratePerSecond, depth, warmUpMs, measureMs } = order;
    const acknowledged = new Acknowledged(order.paths);
    const gaps = new WriteGaps();
    this.#acknowledged = acknowledged;
    const paths = Array.from({ length: order.paths }, (_, at) => itemPath(directory, at));
    const operation = operationOf(order, acknowledged, gaps);
    const onPhase = (phase: DriverEvent): void => {
      if (phase === "measuring") gaps.restart(performance.now());
      tell(phase);
    };
    const clients = this.#sessions;
    const common = { warmUpMs, measureMs, onPhase };
    const result =
      ratePerSecond > 0
        ? await runOpenLoop({
            ...common,
            ratePerSecond,
            start: (turn) => {
              const at = (turn * PATH_STEP) % paths.length;
              const client = clients[turn % clients.length] ?? this.#first();
              return operation(client, paths[at] ?? "/", at);
            },
          })
        : await runClosedLoop({ ...common, clients, depth, paths, operation });
    return {
      count: result.count,
      errors: result.errors,
      firstError: result.firstError,
      elapsedMs: result.elapsedMs,
      longestGapMs: gaps.longestMs,
      histogram: result.latencies.buckets(),
    };
  }

  async #read({ directory, indexes }: ReadOrder): Promise<Results["read"]> {
    const values: ValueMark[] = [];
    let next = 0;
    await this.#together(OUTSTANDING_READS, async (session) => {
      while (next < indexes.length) {
        const index = indexes[next] ?? 0;
        next += 1;
        const found = await session.read(itemPath(directory, index));
        if (found !== null) values.push([index, found.revision, crc32(found.data)]);
      }
    });
    return { values };
  }

  async #fanout(order: FanoutOrder): Promise<Results["fanout"]> {
    const { directory, watchers, rounds } = order;
    const path = itemPath(directory, 0);
    const pool = poolOf(order.bytes);
    const writer = await this.#connect(this.#servers.slice(0, 1), this.#sessionTimeoutMs);
    await writer.ensure(directory);
    await writer.ensure(path);
    let delivered = 0;
    let lastAt = 0;
    const onChange = (): void => {
      delivered += 1;
      lastAt = performance.now();
    };
    let registered = 0;
    await this.#together(CONNECTS_AT_ONCE, async () => {
      while (registered < watchers) {
        const session = this.#sessions[registered % this.#sessions.length];
        registered += 1;
        await session?.watch(path, onChange);
      }
    });
    const lastMs: number[] = [];
    let acknowledged: ValueMark = [0, 0, 0];
    for (let round = 0; round < rounds; round += 1) {
      delivered = 0;
      const started = performance.now();
      const value = pool[round % pool.length] ?? NO_DATA;
      const { mzxid } = await writer.set(path, value);
      acknowledged = [0, mzxid, crc32(value)];
      while (delivered < watchers) {
        if (performance.now() - started > FANOUT_TIMEOUT_MS) {
          throw new Error(`${delivered} of ${watchers} watchers heard of write ${round}`);
        }
        await sleep(1);
      }
      lastMs.push(lastAt - started);
    }
    await writer.close();
    return { lastMs, acknowledged };
  }

  async #createEphemerals({ directory, from }: EphemeralsOrder): Promise<object> {
    await this.#first().ensure(directory);
    const sessions = this.#sessions;
    let next = 0;
    await this.#together(CONNECTS_AT_ONCE, async () => {
      while (next < sessions.length) {
        const at = next;
        next += 1;
        await sessions[at]?.createEphemeral(itemPath(directory, from + at));
      }
    });
    return {};
  }

  #first(): SessionPort {
    const session = this.#sessions[0];
    if (session === undefined) throw new Error("there is no session");
    return session;
  }
}

/** Prime, so that such steps visit every one of 10,000 paths. */
const PATH_STEP = 7919;
const NO_DATA = new Uint8Array(0);

function poolOf(bytes: number): readonly Uint8Array[] {
  const fitting = Math.floor(POOL_BYTES_MAX / Math.max(1, bytes));
  return randomPool(bytes, Math.max(16, Math.min(POOL_COUNT, fitting)));
}

function operationOf(
  order: { readonly operation: OperationKind; readonly directory: string; readonly bytes: number },
  acknowledged: Acknowledged,
  gaps: WriteGaps,
): Operation<SessionPort> {
  const pool = poolOf(order.bytes);
  let turn = 0;
  const set: Operation<SessionPort> = async (session, path, at) => {
    turn = (turn + 1) % pool.length;
    const value = pool[turn] ?? NO_DATA;
    const { mzxid } = await session.set(path, value);
    acknowledged.note(at, mzxid, value);
    gaps.wrote(performance.now());
  };
  const get: Operation<SessionPort> = (session, path) => session.getLinearizable(path);
  switch (order.operation) {
    case "set":
      return set;
    case "get-linearizable":
      return get;
    case "get-local":
      return (session, path) => session.getLocal(path);
    case "mix":
      return (session, path, at) =>
        (Math.random() * 10 < READS_OF_TEN ? get : set)(session, path, at);
    case "create-sequential":
      return async (session) =>
        session.delete(
          await session.createSequential(`${order.directory}/seq-`, pool[0] ?? NO_DATA),
        );
    case "lock":
      return (session) => session.lockCycle(`${order.directory}/lock`);
  }
}
