import { freePorts } from "@quorate/cli";
import type { ChildProcess } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startChild } from "./child-processes.ts";
import { anonymousBytes, cpuSeconds } from "./process-usage.ts";
import type {
  EnsembleSite,
  GcPause,
  NodeProbe,
  NodeSite,
  System,
  Tuning,
} from "./systems/system.ts";

const POLL_MS = 10;
/** A million znodes have to be read back in that time. */
const START_MS = 180_000;
const LOG_TAIL = 2_000;

export interface EnsembleOptions {
  readonly system: System;
  /** For the nodes' folders; empty. */
  readonly directory: string;
  readonly nodes: number;
  readonly tuning?: Tuning;
  /** Default: no. */
  readonly isGcLogged?: boolean;
}

/** Server processes of one system on this machine. */
export class Ensemble {
  readonly site: EnsembleSite;
  readonly #system: System;
  readonly #children: Map<number, ChildProcess> = new Map();

  private constructor(system: System, site: EnsembleSite) {
    this.#system = system;
    this.site = site;
  }

  /** Starts all nodes on fresh data and waits until they serve. */
  static async start(options: EnsembleOptions): Promise<Ensemble> {
    const { system, directory, nodes, tuning = "default", isGcLogged = false } = options;
    const ports = await freePorts(nodes * 2);
    const sites = Array.from({ length: nodes }, (_, at): NodeSite => {
      const path = join(directory, `node-${at + 1}`);
      mkdirSync(path, { recursive: true });
      return {
        number: at + 1,
        directory: path,
        clientAddress: `127.0.0.1:${ports[at]?.client ?? 0}`,
        peerAddress: `127.0.0.1:${ports[at]?.peer ?? 0}`,
        electionAddress: `127.0.0.1:${ports[nodes + at]?.peer ?? 0}`,
      };
    });
    const ensemble = new Ensemble(system, { nodes: sites, tuning, isGcLogged });
    try {
      for (const node of sites) ensemble.startNode(node);
      await ensemble.waitUntilReady();
    } catch (error) {
      await ensemble.kill();
      throw error;
    }
    return ensemble;
  }

  /** Client addresses of all nodes. */
  get servers(): readonly string[] {
    return this.site.nodes.map((node) => node.clientAddress);
  }

  /**
   * Client addresses of all nodes, the leader's last: few sessions are then attached to followers on every system,
   * whichever node it made its leader.
   */
  async serversLeaderLast(): Promise<readonly string[]> {
    const leader = await this.leader();
    const others = this.site.nodes.filter((node) => node !== leader);
    return [...others, leader].map((node) => node.clientAddress);
  }

  startNode(node: NodeSite): void {
    const log = openSync(logFile(node), "a");
    const child = startChild(this.#system.server(this.site, node), ["ignore", log, log]);
    closeSync(log);
    this.#children.set(node.number, child);
  }

  signal(node: NodeSite, signal: NodeJS.Signals): void {
    this.#children.get(node.number)?.kill(signal);
  }

  /** Kills one node with SIGKILL and waits until it is gone. */
  async killNode(node: NodeSite): Promise<void> {
    const child = this.#children.get(node.number);
    this.#children.delete(node.number);
    if (child !== undefined) await killed(child);
  }

  /** kill -9 of all nodes at once. */
  async kill(): Promise<void> {
    const children = [...this.#children.values()];
    this.#children.clear();
    await Promise.all(children.map(killed));
  }

  /** kill -9 of all nodes, and a start on the data they left. */
  async restartKilled(): Promise<void> {
    await this.kill();
    for (const node of this.site.nodes) this.startNode(node);
    await this.waitUntilReady();
  }

  /** Returns once all nodes serve and one of them leads. */
  async waitUntilReady(): Promise<void> {
    await this.#poll("all nodes to serve", async () => {
      const probes = await this.#probes();
      const isServing = probes.every(({ probe }) => probe?.isReady === true);
      return isServing && onlyLeader(probes) !== null ? true : null;
    });
  }

  /** Returns once this node serves. */
  async waitUntilNodeServes(node: NodeSite): Promise<void> {
    await this.#poll(`node ${node.number} to serve`, async () => {
      const probe = await this.#system.probe(node);
      return probe?.isReady === true ? true : null;
    });
  }

  /** The node that leads, as soon as one says so and no other does: one that was stopped may still believe it. */
  leader(): Promise<NodeSite> {
    return this.#poll("a leader", async () => onlyLeader(await this.#probes()));
  }

  /** Nodes whose process has ended by itself. */
  endedNodes(): readonly NodeSite[] {
    return this.site.nodes.filter((node) => hasEnded(this.#children.get(node.number)));
  }

  /** Where the nodes' logs end now. */
  logEnds(): readonly number[] {
    return this.site.nodes.map((node) => statSync(logFile(node)).size);
  }

  /** Garbage collections that all nodes logged since their logs ended at `ends`. */
  gcPausesSince(ends: readonly number[]): readonly GcPause[] {
    return this.site.nodes.flatMap((node, at) => {
      const log = readFileSync(logFile(node)).subarray(ends[at]).toString("utf8");
      return this.#system.gcPauses(log);
    });
  }

  /** Of all nodes. */
  cpuSeconds(): number {
    return this.#sum(cpuSeconds);
  }

  /** Memory of all nodes, without pages of files. */
  anonymousBytes(): number {
    return this.#sum(anonymousBytes);
  }

  #sum(measure: (pid: number) => number): number {
    const pids = [...this.#children.values()].map((child) => child.pid ?? 0);
    return pids.reduce((total, pid) => total + measure(pid), 0);
  }

  #probes(): Promise<readonly ProbedNode[]> {
    const { nodes } = this.site;
    return Promise.all(
      nodes.map(async (node) => ({ node, probe: await this.#system.probe(node) })),
    );
  }

  async #poll<T>(what: string, attempt: () => Promise<T | null>): Promise<T> {
    const deadline = performance.now() + START_MS;
    for (;;) {
      const found = await attempt();
      if (found !== null) return found;
      for (const node of this.site.nodes) this.#failIfEnded(node, what);
      if (performance.now() > deadline) {
        throw new Error(`waited in vain for ${what} of ${this.#system.name}\n${this.#logTails()}`);
      }
      await sleep(POLL_MS);
    }
  }

  #failIfEnded(node: NodeSite, what: string): void {
    if (!hasEnded(this.#children.get(node.number))) return;
    throw new Error(
      `node ${node.number} of ${this.#system.name} ended while waiting for ${what}\n${logTail(node)}`,
    );
  }

  #logTails(): string {
    return this.site.nodes.map((node) => `node ${node.number}: ${logTail(node)}`).join("\n");
  }
}

interface ProbedNode {
  readonly node: NodeSite;
  readonly probe: NodeProbe | null;
}

function onlyLeader(probes: readonly ProbedNode[]): NodeSite | null {
  const leaders = probes.filter(({ probe }) => probe?.isLeader === true);
  return leaders.length === 1 ? (leaders[0]?.node ?? null) : null;
}

function hasEnded(child: ChildProcess | undefined): boolean {
  return child !== undefined && (child.exitCode !== null || child.signalCode !== null);
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = new Promise((resolve) => {
    child.once("exit", resolve);
  });
  child.kill("SIGKILL");
  await exited;
}

function logFile(node: NodeSite): string {
  return join(node.directory, "log");
}

function logTail(node: NodeSite): string {
  const file = logFile(node);
  return existsSync(file) ? readFileSync(file, "utf8").slice(-LOG_TAIL) : "";
}
