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
  #isOver = false;

  constructor(world: World, sites: readonly ClientSite[]) {
    this.#world = world;
    this.#sites = sites;
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
      node.start();
    }
  }

  #scheduleNext(): void {
    const { time, random, profile } = this.#world;
    time.after(profile.faultEveryMs * (0.2 + 1.6 * random.nextFraction()), () => {
      if (this.#isOver) return;
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
        return node.jumpWallClock((this.#world.random.nextFraction() - 0.5) * 1e9);
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
    }
  }

  #crash(node: SimNode, withMachine: boolean): void {
    if (!node.isUp) return;
    node.crash(withMachine);
    node.restartSoon();
  }

  #disturbPeers(fault: "isolate" | "oneWay" | "split" | "cutPeers", node: SimNode): void {
    const { cut, nodes, network, random } = this.#world;
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
      if (node.isUp) node.failNext(this.#world.random.nextFraction() < 0.7 ? "write" : "sync");
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
    const { random, network, cut, trace } = this.#world;
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
    const part = this.#world.random.nextFraction();
    return 50 + mostMs * part * part;
  }

  #victim(): SimNode {
    const { nodes, random, profile } = this.#world;
    const leader = random.nextFraction() < profile.leaderHunt ? this.#world.leader() : null;
    const node = leader ?? nodes[random.nextBelow(nodes.length)];
    if (node === undefined) throw new Error("there are no nodes");
    return node;
  }
}
