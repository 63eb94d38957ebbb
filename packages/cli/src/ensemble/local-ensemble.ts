import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { httpRequest, textOf } from "../http-request.ts";
import { clientAddresses, serverFlags, type EnsemblePlan, type NodePlan } from "./ensemble-plan.ts";
import { NodeProcess, describeExit, type NodeExit } from "./node-process.ts";
import { findLeader, parseNodeStatus, type NodeStatus } from "./node-status.ts";

/** What an ensemble of processes is started with. */
export interface LocalEnsembleOptions {
  readonly plan: EnsemblePlan;
  /** The `quorate-server` to run. Default: the installed one. */
  readonly serverMain?: string;
  /** Further flags for every node. */
  readonly flags?: readonly string[];
  /** Further flags of one node. */
  readonly flagsOf?: (node: NodePlan) => readonly string[];
  /** Environment of the processes. Default: this process's. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

const STATUS_TIMEOUT_MS = 1_000;
const POLL_MS = 25;
const STOP_GRACE_MS = 8_000;

/** A node as it stands: its process, and what it says if it answers. */
export interface NodeReading {
  readonly name: string;
  readonly process: NodeProcess;
  readonly clientAddress: string;
  readonly status: NodeStatus | null;
  /** How it had ended by then; null while it runs. */
  readonly exit: NodeExit | null;
}

/**
 * An ensemble whose nodes are child processes of this one. They are stopped by `stop` and by nothing else: whoever
 * starts one stops it, and `killAll` is there for a process that is about to end.
 */
export class LocalEnsemble implements AsyncDisposable {
  readonly plan: EnsemblePlan;
  readonly nodes: readonly NodeProcess[];

  constructor(options: LocalEnsembleOptions) {
    this.plan = options.plan;
    const serverMain = options.serverMain ?? installedServerMain();
    this.nodes = options.plan.nodes.map(
      (node) =>
        new NodeProcess({
          name: node.name,
          serverMain,
          args: serverFlags(options.plan, node, [
            ...(options.flags ?? []),
            ...(options.flagsOf?.(node) ?? []),
          ]),
          logFile: node.logFile,
          env: options.env ?? process.env,
        }),
    );
  }

  /** Addresses for `connect`. */
  get servers(): readonly string[] {
    return clientAddresses(this.plan);
  }

  startAll(): void {
    for (const node of this.nodes) node.start();
  }

  node(name: string): NodeProcess {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`there is no node ${name}`);
    return found;
  }

  /** Asks every running node; one that does not answer in time has no status. */
  async read(): Promise<readonly NodeReading[]> {
    return Promise.all(
      this.plan.nodes.map(async ({ name, clientAddress, clientListen }) => {
        const node = this.node(name);
        const status = node.isRunning ? await fetchNodeStatus(clientListen) : null;
        return { name, process: node, clientAddress, status, exit: node.exit };
      }),
    );
  }

  /** The leader, as soon as there is one. Throws after `timeoutMs`, or at once when a node has died. */
  async waitForLeader(timeoutMs: number): Promise<NodeStatus> {
    return this.#poll(timeoutMs, "a leader", async () => {
      const readings = await this.read();
      return findLeader(readings.flatMap(({ status }) => (status === null ? [] : [status])));
    });
  }

  /** Returns once every running node serves linearizable requests. */
  async waitUntilReady(timeoutMs: number): Promise<void> {
    await this.#poll(timeoutMs, "all nodes to be ready", async () => {
      const readings = await this.read();
      const running = readings.filter(({ process: node }) => node.isRunning);
      const isReady = running.every(
        ({ status }) => status !== null && status.notReady.length === 0,
      );
      return running.length > 0 && isReady ? true : null;
    });
  }

  /** Stops every node, the leader last would only move leadership around: all at once. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop(STOP_GRACE_MS)));
  }

  /** At once, without waiting. */
  killAll(): void {
    for (const node of this.nodes) node.kill("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #poll<T>(timeoutMs: number, what: string, attempt: () => Promise<T | null>): Promise<T> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const found = await attempt();
      if (found !== null) return found;
      this.#failOnDeath(what);
      if (performance.now() > deadline) throw new Error(this.#waitedInVain(what, timeoutMs));
      await sleep(POLL_MS);
    }
  }

  /** A node that exited by itself will not come up by waiting; one that was killed on purpose was. */
  #failOnDeath(what: string): void {
    for (const node of this.nodes) {
      const exit = node.exit;
      if (exit === null || exit.signal !== null || exit.code === 0) continue;
      throw new Error(
        `node ${node.name} ended with ${describeExit(exit)} while waiting for ${what}:\n${node.logTail()}`,
      );
    }
  }

  #waitedInVain(what: string, timeoutMs: number): string {
    const tails = this.nodes.map((node) => `--- node ${node.name}\n${node.logTail()}`);
    return `waited ${timeoutMs} ms in vain for ${what}\n${tails.join("\n")}`;
  }
}

/** One node's own account; null when it does not answer in time. */
export async function fetchNodeStatus(clientAddress: string): Promise<NodeStatus | null> {
  try {
    const signal = AbortSignal.timeout(STATUS_TIMEOUT_MS);
    const url = `http://${clientAddress}/status`;
    return parseNodeStatus(await textOf(await httpRequest(url, { method: "GET", signal })));
  } catch {
    return null;
  }
}

/** The `quorate-server` that was installed with this command. */
export function installedServerMain(): string {
  const entry = fileURLToPath(import.meta.resolve("@quorate/server"));
  return join(dirname(entry), "..", "bin", "quorate-server.cjs");
}
