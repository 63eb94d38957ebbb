import { SeededRandom } from "../../../packages/server/src/memory/seeded-random.ts";
import {
  MemoryNetwork,
  type Delivery,
} from "../../../packages/server/src/transport/memory-transport.ts";
import { Cuts } from "./cuts.ts";
import { ProcessClock } from "./process-clock.ts";
import type { Profile } from "./profile.ts";
import { SimNode } from "./sim-node.ts";
import { Trace } from "./trace.ts";
import { VirtualTime } from "./virtual-time.ts";

/** Everything that is shared in one run: time, chance, network, machines. */
export class World {
  readonly profile: Profile;
  readonly time = new VirtualTime();
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly network: MemoryNetwork;
  readonly cut: Cuts;
  readonly nodes: readonly SimNode[];
  readonly #delays: SeededRandom;
  readonly #clients: string[] = [];
  #failure: unknown = null;

  constructor(profile: Profile, print: ((line: string) => void) | null) {
    this.profile = profile;
    this.random = new SeededRandom(profile.seed * 7 + 3);
    this.#delays = new SeededRandom(profile.seed * 7 + 4);
    this.trace = new Trace(this.time, print);
    this.network = new MemoryNetwork({
      clock: new ProcessClock(this.time, { rate: 1, startMs: 0 }),
      schedule: (delivery) => this.#schedule(delivery),
    });
    this.cut = new Cuts(this.network);
    this.nodes = Array.from({ length: profile.nodes }, (_, at) => new SimNode(this, at + 1));
  }

  /** Hosts of all nodes and clients. */
  get parties(): readonly string[] {
    return [...this.nodes.map(({ name }) => name), ...this.#clients];
  }

  /** The first thing that went wrong; null so far. */
  get failure(): unknown {
    return this.#failure;
  }

  get hasFailed(): boolean {
    return this.#failure !== null;
  }

  get servers(): readonly string[] {
    return this.nodes.map((node) => node.clientAddress);
  }

  addClient(name: string): void {
    this.#clients.push(name);
  }

  fail(error: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.trace.note("!!", error instanceof Error ? error.message : String(error));
  }

  /** The node that leads as far as its own server knows, or null. */
  leader(): SimNode | null {
    return this.nodes.find((node) => node.server?.status().role === "leader") ?? null;
  }

  #schedule(delivery: Delivery): void {
    const { delayMinMs, delayMeanMs } = this.profile;
    const spread = -Math.log(1 - this.#delays.nextFraction());
    const delayMs = delayMinMs + delayMeanMs * spread;
    this.trace.mix(this.time.nowMs, delivery.bytes, delivery.connection);
    this.time.after(delayMs, () => delivery.deliver());
  }
}
