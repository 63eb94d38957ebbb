import type { SeededRandom } from "../../../packages/server/src/memory/seeded-random.ts";
import {
  MemoryNetwork,
  type Delivery,
} from "../../../packages/server/src/transport/memory-transport.ts";
import { Backups } from "./backups.ts";
import { CoreWatch } from "./core-watch.ts";
import { Cuts } from "./cuts.ts";
import { LinkMoods } from "./link-moods.ts";
import { Load } from "./load.ts";
import { Losses } from "./losses.ts";
import { ProcessClock } from "./process-clock.ts";
import type { Profile } from "./profile.ts";
import { SimNode } from "./sim-node.ts";
import { streamOf } from "./streams.ts";
import { Trace, type Print } from "./trace.ts";
import { Values } from "./values.ts";
import { VirtualTime } from "./virtual-time.ts";

/** Everything that is shared in one run: time, network, machines. */
export class World {
  readonly profile: Profile;
  readonly time = new VirtualTime();
  readonly load: Load;
  readonly trace: Trace;
  readonly cores: CoreWatch;
  readonly backups: Backups;
  readonly values: Values;
  readonly network: MemoryNetwork;
  readonly cut: Cuts;
  readonly links = new LinkMoods();
  readonly losses = new Losses(this);
  /** Those that form the ensemble first. */
  readonly nodes: readonly SimNode[];
  /** Delays of each direction between two hosts. */
  readonly #delays = new Map<string, Map<string, SeededRandom>>();
  readonly #clients: string[] = [];
  #failure: unknown = null;

  /** `traces`: a folder in which every core leaves a trace. */
  constructor(profile: Profile, print: Print | null, traces: string | null = null) {
    this.profile = profile;
    this.load = new Load(this.time, profile);
    this.trace = new Trace(this.time, print);
    this.cores = new CoreWatch({
      directory: traces,
      show: print === null ? null : (who, what) => this.trace.show(who, what),
      onBreach: (error) => this.fail(error),
    });
    this.values = new Values(profile);
    this.backups = new Backups(this.time, this.values, (error) => this.fail(error));
    this.network = new MemoryNetwork({
      clock: new ProcessClock(this.time, { rate: 1, startMs: 0 }),
      schedule: (delivery) => this.#schedule(delivery),
    });
    this.cut = new Cuts(this.network);
    const count = profile.nodes + profile.spares;
    this.nodes = Array.from({ length: count }, (_, at) => new SimNode(this, at + 1));
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

  /** The stream of chance of that name. */
  stream(name: string): SeededRandom {
    return streamOf(this.profile.seed, name);
  }

  addClient(name: string): void {
    this.#clients.push(name);
  }

  fail(error: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.trace.note("!!", error instanceof Error ? error.message : String(error));
  }

  /** Of the nodes that lead as far as their own server knows the one with the highest term, or null. */
  leader(): SimNode | null {
    let newest: SimNode | null = null;
    let newestTerm = -1;
    for (const node of this.nodes) {
      const status = node.server?.status();
      if (status === undefined || status.role !== "leader" || status.term <= newestTerm) continue;
      newest = node;
      newestTerm = status.term;
    }
    return newest;
  }

  /** Of the leader's membership those that run, by rising number. */
  voters(): readonly SimNode[] {
    const voters = this.leader()?.server?.status().membership?.voters ?? [];
    return this.nodes.filter(
      ({ server }) => server !== null && voters.some((id) => id === server.status().nodeId),
    );
  }

  /** The members that the leader has applied; null without a leader, and while anybody is still to come, vote or go. */
  members(): readonly SimNode[] | null {
    const membership = this.leader()?.server?.status().membership ?? null;
    if (membership === null || membership.outgoingVoters.length > 0) return null;
    const isChanging = membership.members.some(
      ({ id, promotion }) => membership.learners.includes(id) && promotion.kind !== "none",
    );
    if (isChanging) return null;
    const names = new Set(membership.members.map(({ name }) => name));
    return this.nodes.filter(({ name }) => names.has(name));
  }

  /** The process of a host that goes on is gone. */
  endProcess(host: string): void {
    if (this.profile.hasLastWords) this.network.dropAfterSent(host);
    else this.network.drop(host);
  }

  #schedule(delivery: Delivery): void {
    const { delayMinMs, delayMeanMs } = this.profile;
    const spread = -Math.log(1 - this.#delaysOf(delivery).nextFraction());
    const delayMs = delayMinMs + delayMeanMs * spread;
    this.trace.mixSent(delivery.connection, delivery.bytes);
    const lateMs = this.links.delayMs(delivery, this.time.nowMs);
    this.time.after(delayMs + lateMs, () => this.#deliver(delivery));
  }

  #deliver(delivery: Delivery): void {
    if (!this.links.takeTorn(delivery)) return delivery.deliver();
    this.trace.note("~", `a frame from ${delivery.from} to ${delivery.to} ends in the middle`);
    this.network.cut(delivery.from, delivery.to);
  }

  #delaysOf({ from, to }: Delivery): SeededRandom {
    let delays = this.#delays.get(from);
    if (delays === undefined) this.#delays.set(from, (delays = new Map()));
    let stream = delays.get(to);
    if (stream === undefined) delays.set(to, (stream = this.stream(`${from} to ${to}`)));
    return stream;
  }
}
