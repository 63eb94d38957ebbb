import {
  LocalEnsemble,
  askMembers,
  fetchNodeStatus,
  findLeader,
  planEnsemble,
  serverFlags,
  systemContext,
  type EnsemblePlan,
  type ListedMember,
  type NodeExit,
  type NodePlan,
  type NodeStatus,
} from "@quorate/cli";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { ownPorts } from "../support/own-ports.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { poll } from "./poll.ts";
import { SmallDisk } from "./small-disk.ts";

/** The server as it is shipped. */
export const SERVER_MAIN: string = fileURLToPath(
  new URL("../../packages/server/bin/quorate-server.cjs", import.meta.url),
);

/** What a test's ensemble is like. Its data lie below QUORATE_TEST_DIR, else below the system's folder for such. */
export interface TestEnsembleOptions {
  /** Default 3. */
  readonly nodes?: number;
  /** So many of the nodes, from the first on, form the ensemble; the others may join it later. Default: all. */
  readonly founders?: number;
  /** Clients are told to go through a proxy in front of each node; `directServers` goes around them. */
  readonly proxied?: boolean;
  /** Further flags of every node. */
  readonly flags?: readonly string[];
  /** Every node's data are on a file system of their own of so many bytes, which only root can mount. Default: they are not. */
  readonly diskBytes?: number;
}

const START_MS = 60_000;
const LEADER_MS = 30_000;

/**
 * Starts an ensemble of real processes and waits until it serves. It is stopped and its data removed when the test ends;
 * when the test fails, the end of every node's log is printed first.
 */
export async function startEnsemble(options: TestEnsembleOptions = {}): Promise<TestEnsemble> {
  const ensemble = await TestEnsemble.create(options);
  onTestFinished(async ({ task }) => {
    if (task.result?.state === "fail") console.error(ensemble.report());
    await ensemble.dispose();
  });
  for (const name of ensemble.founders) ensemble.start(name);
  await ensemble.waitUntilReady(ensemble.founders);
  return ensemble;
}

/** An ensemble of real processes and the ways to hurt it. */
export class TestEnsemble {
  readonly local: LocalEnsemble;
  readonly directory: string;
  readonly proxies: ReadonlyMap<string, FaultProxy>;
  /** Names of the nodes that form it. */
  readonly founders: readonly string[];
  readonly #disks = new Map<string, SmallDisk>();
  readonly #flags: readonly string[];
  readonly #killAll: () => void;

  private constructor(
    plan: EnsemblePlan,
    directory: string,
    proxies: ReadonlyMap<string, FaultProxy>,
    { founders, flags = [], diskBytes }: TestEnsembleOptions,
  ) {
    this.local = new LocalEnsemble({ plan, serverMain: SERVER_MAIN, flags, env: process.env });
    this.directory = directory;
    this.proxies = proxies;
    this.founders = plan.nodes.slice(0, founders).map(({ name }) => name);
    this.#flags = flags;
    this.#killAll = () => this.local.killAll();
    process.once("exit", this.#killAll);
    if (diskBytes === undefined) return;
    for (const { name, dataDirectory } of plan.nodes) {
      this.#disks.set(name, new SmallDisk(dataDirectory, diskBytes));
    }
  }

  static async create(options: TestEnsembleOptions): Promise<TestEnsemble> {
    const root = process.env["QUORATE_TEST_DIR"] ?? tmpdir();
    const directory = mkdtempSync(join(root, "quorate-e2e-"));
    const ports = await ownPorts(options.nodes ?? 3);
    const plain = planEnsemble(directory, ports);
    const proxies = new Map<string, FaultProxy>();
    if (options.proxied !== true) {
      return new TestEnsemble(plain, directory, proxies, options);
    }
    const nodes = await Promise.all(
      plain.nodes.map(async (node): Promise<NodePlan> => {
        const proxy = await FaultProxy.listen(node.clientListen);
        proxies.set(node.name, proxy);
        return { ...node, clientAddress: proxy.address };
      }),
    );
    return new TestEnsemble({ nodes }, directory, proxies, options);
  }

  /** Where clients are told to go: the proxies, if there are any. */
  get servers(): readonly string[] {
    return this.local.servers;
  }

  /** Around any proxy. */
  get directServers(): readonly string[] {
    return this.local.plan.nodes.map((node) => node.clientListen);
  }

  get names(): readonly string[] {
    return this.local.plan.nodes.map((node) => node.name);
  }

  plan(name: string): NodePlan {
    const found = this.local.plan.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`there is no node ${name}`);
    return found;
  }

  directServer(name: string): string {
    return this.plan(name).clientListen;
  }

  /** Of an ensemble with `diskBytes`. */
  disk(name: string): SmallDisk {
    const found = this.#disks.get(name);
    if (found === undefined) throw new Error(`node ${name} has no disk of its own`);
    return found;
  }

  /** SIGKILL; returns when it is gone. */
  async kill(name: string): Promise<void> {
    const node = this.local.node(name);
    node.kill("SIGKILL");
    await node.exited();
  }

  /** SIGKILL to all at once. */
  async killAllAtOnce(): Promise<void> {
    for (const node of this.local.nodes) node.kill("SIGKILL");
    await Promise.all(this.local.nodes.map((node) => node.exited()));
  }

  pause(name: string): void {
    this.local.node(name).kill("SIGSTOP");
  }

  resume(name: string): void {
    this.local.node(name).kill("SIGCONT");
  }

  /** SIGTERM; returns how it ended. */
  async stop(name: string): Promise<NodeExit | null> {
    return this.local.node(name).stop(START_MS);
  }

  /** Starts a node that does not run; `extra` are flags for this run only. Who joins knows the founders and itself. */
  start(name: string, extra: readonly string[] = []): void {
    const known = new Set([...this.founders, name]);
    const nodes = this.local.plan.nodes.filter((node) => known.has(node.name));
    const flags = [...this.#flags, ...extra];
    this.local.node(name).start(serverFlags({ nodes }, this.plan(name), flags));
  }

  /** Deletes everything a node that does not run has kept. */
  wipe(name: string): void {
    rmSync(this.plan(name).dataDirectory, { recursive: true, force: true });
  }

  /** How a node ends by itself. */
  async exitOf(name: string, timeoutMs: number): Promise<NodeExit> {
    const node = this.local.node(name);
    return poll(`node ${name} to end by itself`, timeoutMs, () => node.exit);
  }

  status(name: string): Promise<NodeStatus | null> {
    return fetchNodeStatus(this.directServer(name));
  }

  /** What all nodes that answer say. */
  async statuses(): Promise<readonly NodeStatus[]> {
    const all = await Promise.all(this.names.map((name) => this.status(name)));
    return all.filter((status) => status !== null);
  }

  /** The member of that name as the leader sees it; null while there is none, or nobody leads. */
  async member(name: string): Promise<ListedMember | null> {
    const list = await askMembers(systemContext(), this.directServers, LEADER_MS);
    return list?.members.find((member) => member.name === name) ?? null;
  }

  /** The leader, once one leads in a term above `afterTerm`. */
  async leader(afterTerm = 0): Promise<NodeStatus> {
    return poll(`a leader in a term above ${afterTerm}`, LEADER_MS, async () => {
      const leader = findLeader(await this.statuses());
      return leader !== null && leader.term > afterTerm ? leader : null;
    });
  }

  /** Returns once `/readyz` of every node named says yes. */
  async waitUntilReady(names: readonly string[] = this.names): Promise<void> {
    await Promise.all(
      names.map((name) =>
        poll(`node ${name} to be ready`, START_MS, async () => {
          const exit = this.local.node(name).exit;
          if (exit !== null) throw new Error(`node ${name} ended: ${JSON.stringify(exit)}`);
          return (await isReady(this.directServer(name))) ? true : null;
        }),
      ),
    );
  }

  /** Returns once the nodes named stand at one revision with one digest. */
  async waitForEqualDigests(names: readonly string[] = this.names): Promise<string> {
    return poll("equal digests", START_MS, async () => {
      const statuses = await Promise.all(names.map((name) => this.status(name)));
      const views = new Set(statuses.map((status) => `${status?.zxid} ${status?.digest}`));
      const [view] = views;
      return views.size === 1 && !statuses.includes(null) ? (view ?? null) : null;
    });
  }

  log(name: string): string {
    return this.local.node(name).logTail();
  }

  /** For a test that fails: the end of every log. */
  report(): string {
    return this.names
      .map((name) => {
        const exit = this.local.node(name).exit;
        const how = exit === null ? "running" : JSON.stringify(exit);
        return `--- node ${name} (${how})\n${this.log(name)}`;
      })
      .join("\n");
  }

  async dispose(): Promise<void> {
    for (const proxy of this.proxies.values()) await proxy.close();
    await this.local.stop();
    process.off("exit", this.#killAll);
    for (const disk of this.#disks.values()) disk.unmount();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function isReady(server: string): Promise<boolean> {
  try {
    const response = await fetch(`http://${server}/readyz`, { signal: AbortSignal.timeout(1_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}
