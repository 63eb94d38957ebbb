import { createServerConfig, QuorateServer, ServerError, systemPorts } from "@quorate/server";
import type { ServerPorts } from "@quorate/server";
import { MemoryFiles } from "../../packages/server/src/memory/memory-files.ts";
import { MemoryImageStores } from "../../packages/server/src/memory/memory-image-stores.ts";
import { SILENT_LOGGER } from "../../packages/server/src/observe/logger.ts";
import { ownPorts } from "../support/own-ports.ts";

type Settings = Parameters<typeof createServerConfig>[0];
type Member = NonNullable<Settings["members"]>[number];
type MemberChange = Parameters<QuorateServer["changeMembers"]>[0];

const FOUNDERS = 3;
/** The last one is only there when a test starts it, and asks to join. */
const PLACES = [0, 1, 2, 3] as const;

/** Three servers in this process whose disks, in memory, outlive them: they can be stopped and started one by one. */
export class Servers implements AsyncDisposable {
  readonly clients: readonly string[];
  readonly #members: readonly Member[];
  readonly #settings: Settings;
  readonly #ports: ServerPorts[];
  /** Where a node is now, by its own configuration alone. */
  readonly #moved = new Map<number, Member>();
  readonly #running = new Map<number, QuorateServer>();

  private constructor(addresses: readonly number[], settings: Settings, ports: ServerPorts[]) {
    this.#members = PLACES.map((at) => ({
      name: `${at + 1}`,
      peer: `127.0.0.1:${addresses[at * 2]}`,
      client: `127.0.0.1:${addresses[at * 2 + 1]}`,
    }));
    this.clients = this.#members.slice(0, FOUNDERS).map((member) => member.client);
    this.#settings = settings;
    this.#ports = ports;
  }

  /** `adapt`: what is different under each of the three. */
  static async start(
    settings: Settings = {},
    adapt: (ports: ServerPorts, at: number) => ServerPorts = (ports) => ports,
  ): Promise<Servers> {
    const ports = PLACES.map((at) => {
      const plain = emptyPorts();
      return at < FOUNDERS ? adapt(plain, at) : plain;
    });
    const servers = new Servers(await placePorts(), settings, ports);
    await Promise.all(PLACES.slice(0, FOUNDERS).map((at) => servers.startNode(at)));
    await servers.ready();
    return servers;
  }

  node(at: number): QuorateServer {
    const node = this.#running.get(at);
    if (node === undefined) throw new Error(`node ${at + 1} does not run`);
    return node;
  }

  get running(): readonly QuorateServer[] {
    return [...this.#running.values()];
  }

  /** Position of the leader; -1 while there is none. */
  get leader(): number {
    for (const [at, node] of this.#running) if (node.status().role === "leader") return at;
    return -1;
  }

  /** The same among the others than this one. */
  leaderBeside(ignored: number): number {
    for (const [at, node] of this.#running) {
      if (at !== ignored && node.status().role === "leader") return at;
    }
    return -1;
  }

  /** `changes`: settings that differ from those of all this once. */
  async startNode(at: number, changes: Settings = {}): Promise<QuorateServer> {
    const isFounder = at < FOUNDERS;
    const members = isFounder ? this.#members.slice(0, FOUNDERS) : this.#members;
    const moved = this.#moved.get(at);
    const config = createServerConfig({
      members: members.map((member) => (member.name === moved?.name ? moved : member)),
      join: !isFounder,
      name: `${at + 1}`,
      dataDirectory: "/data",
      tickMs: 10,
      heartbeatMs: 50,
      electionTimeoutMs: 300,
      diskFreeBytesMin: 1_048_576,
      diskReserveBytes: 65_536,
      logSegmentBytes: 65_536,
      ...this.#settings,
      ...changes,
    });
    const ports = this.#ports[at];
    if (ports === undefined) throw new Error(`no node ${at + 1}`);
    const node = await QuorateServer.start({
      config,
      ports,
      logger: SILENT_LOGGER,
      ownsProcess: false,
    });
    this.#running.set(at, node);
    return node;
  }

  async stopNode(at: number): Promise<void> {
    await this.node(at).stop();
    this.#running.delete(at);
  }

  /** The node, which is stopped, has another machine from now on, with an empty disk. Returns its peer address. */
  async moveNode(at: number): Promise<string> {
    const [address] = await ownPorts(1);
    if (address === undefined) throw new Error("no port is free");
    const peer = `127.0.0.1:${address.peer}`;
    this.#moved.set(at, { name: `${at + 1}`, peer, client: `127.0.0.1:${address.client}` });
    this.#ports[at] = emptyPorts();
    return peer;
  }

  /** Tells whoever leads; again while nobody does. */
  async changeMembers(change: MemberChange): Promise<void> {
    await until(() => {
      try {
        this.node(this.leader).changeMembers(change);
        return true;
      } catch (error) {
        if (this.leader < 0 || isNotLeader(error)) return false;
        throw error;
      }
    });
  }

  /** Until every running node has applied a membership of these voters, by name and in order, and of nobody else. */
  async haveVoters(...names: readonly string[]): Promise<void> {
    await until(() =>
      this.running.every((node) => {
        const { membership } = node.status();
        if (membership === null) return false;
        const { voters, outgoingVoters, members } = membership;
        const voting = members.filter(({ id }) => voters.includes(id)).map(({ name }) => name);
        const isSettled = outgoingVoters.length === 0 && members.length === voters.length;
        return isSettled && voting.sort().join() === names.join();
      }),
    );
  }

  /** Until every running node serves. */
  async ready(): Promise<void> {
    await until(() => this.running.every((node) => node.notReady().length === 0));
  }

  /** Until every running node is at the same revision; fails if their digests differ there. */
  async agree(): Promise<void> {
    const seen = (): readonly string[] =>
      this.running.map((node) => `${node.status().zxid} ${node.status().digest}`);
    await until(() => new Set(seen()).size === 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.running.map((node) => node.stop()));
  }
}

/** Polls, because what is waited for happens in other parts of this process; gives up after 20 s. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error("waited 20 s in vain");
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}

function isNotLeader(error: unknown): boolean {
  return error instanceof ServerError && error.code === "NOT_LEADER";
}

function emptyPorts(): ServerPorts {
  const files = new MemoryFiles();
  return { ...systemPorts(), files, images: new MemoryImageStores(files) };
}

async function placePorts(): Promise<readonly number[]> {
  return (await ownPorts(PLACES.length)).flatMap(({ client, peer }) => [client, peer]);
}
