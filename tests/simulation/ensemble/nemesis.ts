import { ServerError } from "../../../packages/server/src/errors.ts";
import type { MemberCommand } from "../../../packages/server/src/membership/member-command.ts";
import type { SeededRandom } from "../../../packages/server/src/memory/seeded-random.ts";
import type { Application } from "./application.ts";
import type { Fault } from "./profile.ts";
import type { SimClient } from "./sim-client.ts";
import type { SimNode } from "./sim-node.ts";
import type { World } from "./world.ts";

/** A client host and what runs on it. */
export interface ClientSite {
  readonly host: SimClient;
  readonly application: Application;
}

/** Does what the profile allows, one thing after another, until it is told to stop; then puts everything right. */
export class Nemesis {
  readonly #world: World;
  readonly #sites: readonly ClientSite[];
  /** What ends faults that last. */
  readonly #remedies = new Set<() => void>();
  readonly counts = new Map<Fault, number>();
  readonly #random: SeededRandom;
  #isOver = false;

  constructor(world: World, sites: readonly ClientSite[]) {
    this.#world = world;
    this.#sites = sites;
    this.#random = world.stream("faults");
  }

  start(): void {
    this.#scheduleNext();
  }

  /** No more faults, and everything that was broken works again. */
  stop(): void {
    this.#isOver = true;
    this.#world.trace.note("!", "everything is healed");
    for (const remedy of [...this.#remedies]) remedy();
    this.#world.cut.heal();
    for (const { host } of this.#sites) host.resume();
    for (const node of this.#world.nodes) {
      node.resume();
      node.mood.slowness = 1;
      node.mood.isHung = false;
      if (node.isEnlisted) node.start();
    }
  }

  #scheduleNext(): void {
    const { time, profile } = this.#world;
    const random = this.#random;
    time.after(profile.faultEveryMs * (0.2 + 1.6 * random.nextFraction()), () => {
      if (this.#isOver) return;
      for (const node of this.#world.nodes) node.noteServing();
      const fault = profile.faults[random.nextBelow(profile.faults.length)];
      if (fault !== undefined) {
        this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1);
        this.#inflict(fault);
      }
      this.#scheduleNext();
    });
  }

  #inflict(fault: Fault): void {
    const node = this.#victim();
    switch (fault) {
      case "crash":
        return this.#crash(node, false);
      case "powerCut":
        return this.#crash(node, true);
      case "crashAll":
        for (const each of this.#world.nodes) this.#crash(each, true);
        return;
      case "restart":
        return node.terminate();
      case "stop":
        node.stop();
        return this.#until(this.#duration(3_000), () => node.resume());
      case "wallJump":
        return node.jumpWallClock((this.#random.nextFraction() - 0.5) * 1e9);
      case "isolate":
      case "oneWay":
      case "split":
      case "cutPeers":
        return this.#disturbPeers(fault, node);
      case "slowDisk":
      case "hungDisk":
      case "failingDisk":
        return this.#disturbDisk(fault, node);
      case "cutClients":
      case "blockClient":
      case "stopClient":
      case "crashClient":
        return this.#disturbClient(fault, node);
      case "wipe":
        return this.#lose(node, () => node.wipe("rejoin"));
      case "damage":
        return this.#lose(node, () => node.damage());
      case "members":
        return this.#changeMembers();
    }
  }

  /** At most one disk at a time, and only while the others could do without it for ever. */
  #lose(node: SimNode, loss: () => void): void {
    const members = this.#world.members();
    const isWell = members?.every(({ server }) => server?.notReady().length === 0) ?? false;
    const voters = this.#world.leader()?.server?.status().membership?.voters.length ?? 0;
    if (members === null || !isWell || voters < 3 || !members.includes(node)) return;
    if (!this.#isWhole) return;
    node.crash(true);
    loss();
    node.restartSoon();
  }

  /** Nobody has lost its disk and has yet to come back. */
  get #isWhole(): boolean {
    return this.#world.nodes.every((node) => node.isWhole);
  }

  #changeMembers(): void {
    const { nodes, trace } = this.#world;
    const random = this.#random;
    const leader = this.#world.leader();
    const server = leader?.server ?? null;
    if (leader === null || server === null || !this.#isWhole) return;
    const names = (server.status().membership?.members ?? []).map(({ name }) => name);
    const name = names[random.nextBelow(names.length)] ?? "";
    const others = nodes.filter((node) => !names.includes(node.name));
    const other = others[random.nextBelow(Math.max(1, others.length))];
    const dice = random.nextFraction();
    if (dice < 0.15) {
      trace.note(leader.name, `is to hand over to ${name}`);
      server.transferLeadership(name).catch(refused);
      return;
    }
    const command = this.#command(name, dice < 0.6 ? other : undefined);
    trace.note(leader.name, `is told ${JSON.stringify(command)}`);
    try {
      server.changeMembers(command);
    } catch (error) {
      refused(error);
    }
  }

  /** Something about the member `name`, or about `other`, who is none and is started. */
  #command(name: string, other: SimNode | undefined): MemberCommand {
    const random = this.#random;
    if (other === undefined) {
      return { kind: random.nextFraction() < 0.7 ? "remove" : "promote", name };
    }
    other.enlist();
    return random.nextFraction() < 0.5
      ? { kind: "add", name: other.name, staysLearner: random.nextFraction() < 0.3 }
      : { kind: "replace", name, by: other.name };
  }

  #crash(node: SimNode, withMachine: boolean): void {
    if (!node.isUp) return;
    node.crash(withMachine);
    node.restartSoon();
  }

  #disturbPeers(fault: "isolate" | "oneWay" | "split" | "cutPeers", node: SimNode): void {
    const { cut, nodes, network } = this.#world;
    const random = this.#random;
    const others = nodes.filter((other) => other !== node);
    if (fault === "cutPeers") {
      for (const other of others) network.cut(node.name, other.name);
      return;
    }
    this.#world.trace.note(node.name, fault);
    const reached = new Set(
      fault === "split" ? others.filter(() => random.nextFraction() < 0.5) : [],
    );
    const pairs = others.filter((other) => !reached.has(other)).map((other) => other.name);
    const isInward = random.nextFraction() < 0.5;
    for (const other of pairs) {
      if (fault !== "oneWay") cut.block(node.name, other);
      else if (isInward) cut.blockOneWay(other, node.name);
      else cut.blockOneWay(node.name, other);
    }
    this.#until(this.#duration(4_000), () => {
      for (const other of pairs) {
        if (fault !== "oneWay") cut.unblock(node.name, other);
        else if (isInward) cut.unblockOneWay(other, node.name);
        else cut.unblockOneWay(node.name, other);
      }
    });
  }

  #disturbDisk(fault: "slowDisk" | "hungDisk" | "failingDisk", node: SimNode): void {
    const { mood } = node;
    if (fault === "failingDisk") {
      if (node.isUp) node.failNext(this.#random.nextFraction() < 0.7 ? "write" : "sync");
      return;
    }
    this.#world.trace.note(node.name, fault);
    if (fault === "slowDisk") mood.slowness = 20;
    else mood.isHung = true;
    this.#until(this.#duration(3_000), () => {
      if (fault === "slowDisk") mood.slowness = 1;
      else mood.isHung = false;
    });
  }

  #disturbClient(
    fault: "cutClients" | "blockClient" | "stopClient" | "crashClient",
    node: SimNode,
  ): void {
    const { network, cut, trace } = this.#world;
    const random = this.#random;
    const site = this.#sites[random.nextBelow(this.#sites.length)];
    if (site === undefined) return;
    const { host, application } = site;
    switch (fault) {
      case "cutClients":
        for (const each of this.#sites) network.cut(node.name, each.host.name);
        return;
      case "blockClient":
        trace.note(host.name, `cannot reach ${node.name}`);
        cut.block(host.name, node.name);
        return this.#until(this.#duration(4_000), () => cut.unblock(host.name, node.name));
      case "stopClient":
        host.stop();
        return this.#until(this.#duration(4_000), () => host.resume());
      case "crashClient":
        host.crash();
        application.start();
    }
  }

  #until(durationMs: number, remedy: () => void): void {
    const once = (): void => {
      if (this.#remedies.delete(once)) remedy();
    };
    this.#remedies.add(once);
    this.#world.time.after(durationMs, once);
  }

  #duration(mostMs: number): number {
    const part = this.#random.nextFraction();
    return 50 + mostMs * part * part;
  }

  #victim(): SimNode {
    const { nodes, profile } = this.#world;
    const random = this.#random;
    const leader = random.nextFraction() < profile.leaderHunt ? this.#world.leader() : null;
    const node = leader ?? nodes[random.nextBelow(nodes.length)];
    if (node === undefined) throw new Error("there are no nodes");
    return node;
  }
}

/** A change may be refused; anything else goes on. */
function refused(error: unknown): void {
  if (!(error instanceof ServerError)) throw error;
}
