import { ServerError } from "../../../packages/server/src/errors.ts";
import type { DiskPlace, Downtime, FaultAction, Link, MemberChange } from "./fault-event.ts";
import type { ClientSite } from "./nemesis.ts";
import { serves } from "./serves.ts";
import type { SimNode } from "./sim-node.ts";
import type { World } from "./world.ts";

/** Lets faults happen, and puts right those that last. */
export class Inflictor {
  readonly #world: World;
  readonly #sites: ReadonlyMap<string, ClientSite>;
  readonly #nodes: ReadonlyMap<string, SimNode>;
  /** What ends faults that last. */
  readonly #remedies = new Set<() => void>();

  constructor(world: World, sites: readonly ClientSite[]) {
    this.#world = world;
    this.#sites = new Map(sites.map((site) => [site.host.name, site]));
    this.#nodes = new Map(world.nodes.map((node) => [node.name, node]));
  }

  /** Ends everything that lasts; whoever is to run runs. */
  healAll(): void {
    for (const remedy of [...this.#remedies]) remedy();
    this.#world.cut.heal();
    this.#world.links.healAll();
    for (const { host } of this.#sites.values()) host.resume();
    for (const node of this.#world.nodes) {
      node.resume();
      node.mood.slowness = 1;
      node.mood.isHung = false;
      if (node.isEnlisted) node.start();
    }
  }

  /** False: as things stand it cannot happen, and did not. */
  inflict(action: FaultAction): boolean {
    if ("links" in action) return this.#disturb(action);
    if ("client" in action) return this.#strikeClient(action);
    switch (action.fault) {
      case "crashAll":
        return action.downtimes.map((each) => this.#crash(each, true)).includes(true);
      case "blackout":
        return this.#blackOut(action.downtimes, action.forMs);
      case "members":
        return this.#changeMembers(action.change);
      default: {
        const node = this.#nodes.get(action.node);
        return node !== undefined && this.#strike(action, node);
      }
    }
  }

  #strike(action: NodeAction, node: SimNode): boolean {
    switch (action.fault) {
      case "crash":
      case "powerCut":
        return this.#crash(action, action.fault === "powerCut");
      case "restart":
        return node.terminate();
      case "backup":
        return this.#world.backups.take(node, action.isLocal, action.pauseMs);
      case "stop":
        if (!node.stop()) return false;
        return this.#until(action.forMs, () => node.resume());
      case "wallJump":
        node.jumpWallClock(action.byMs);
        return true;
      case "wipe":
        return this.#lose(node, action.downMs, () => node.wipe("rejoin"));
      case "damage":
        return this.#lose(node, action.downMs, () => node.damage(action.place));
      case "badSector":
        return this.#lose(node, action.downMs, () => node.breakSector(action.place));
      case "bitFlip":
        return this.#lose(node, action.downMs, () => this.#spoil(node, action.place, null));
      case "rot":
        if (!this.#mayLose(node)) return false;
        node.rot(action.place, action.isImage).catch((error: unknown) => this.#world.fail(error));
        return true;
      case "misdirectedWrite":
        return this.#lose(node, action.downMs, () => this.#spoil(node, action.place, action.to));
      case "stepCrash":
        return this.#crashAtStep(action, node);
      default:
        return this.#strikeDisk(action, node);
    }
  }

  #crashAtStep(action: StepAction, node: SimNode): boolean {
    const { from, step, withMachine, downMs, withinMs, place } = action;
    if (!node.isUp || (from === "damage" && !this.#mayLose(node))) return false;
    if (!node.crashAt(step, withMachine, downMs)) return false;
    if (from === "damage") this.#lose(node, downMs, () => node.damage(place));
    else if (from !== "now") this.#crash(action, from === "powerCut");
    return this.#until(withinMs, () => node.spare());
  }

  #strikeDisk(action: DiskAction, node: SimNode): boolean {
    const { mood } = node;
    switch (action.fault) {
      case "failingDisk":
        if (!node.isUp) return false;
        node.failNext(action.operation);
        return true;
      case "readError":
        // Nobody reads as much as one that starts.
        if (!this.#crash(action, false)) return false;
        node.failNext("read");
        return true;
      case "fullDisk":
        if (!node.isUp) return false;
        node.fillDisk(action.spareBytes);
        return this.#until(action.forMs, () => node.freeDisk());
      case "slowDisk":
        this.#world.trace.note(node.name, action.fault);
        mood.slowness = 20;
        return this.#until(action.forMs, () => {
          mood.slowness = 1;
        });
      case "hungDisk":
        this.#world.trace.note(node.name, action.fault);
        mood.isHung = true;
        return this.#until(action.forMs, () => {
          mood.isHung = false;
        });
    }
  }

  #spoil(node: SimNode, place: DiskPlace, to: DiskPlace | null): void {
    node.spoil(place, to).catch((error: unknown) => this.#world.fail(error));
  }

  #lose(node: SimNode, downMs: number, loss: () => void): boolean {
    if (!this.#mayLose(node)) return false;
    node.crash(true);
    loss();
    node.restartAfter(downMs);
    return true;
  }

  /** At most one disk at a time, and only while the others could do without it for ever. */
  #mayLose(node: SimNode): boolean {
    const members = this.#world.members();
    const isWell = members?.every(({ server }) => serves(server)) ?? false;
    const voters = this.#world.leader()?.server?.status().membership?.voters ?? [];
    // One that came back as another serves before anybody may count on its vote.
    const present = new Set(members?.map(({ server }) => server?.status().nodeId));
    const isComplete = voters.length >= 3 && voters.every((id) => present.has(id));
    return members !== null && isWell && isComplete && members.includes(node) && this.#isWhole;
  }

  /** Nobody has lost its disk and has yet to come back. */
  get #isWhole(): boolean {
    return this.#world.nodes.every((node) => node.isWhole);
  }

  #changeMembers(change: MemberChange): boolean {
    const { trace } = this.#world;
    const leader = this.#world.leader();
    const server = leader?.server ?? null;
    if (leader === null || server === null || !this.#isWhole) return false;
    trace.note(leader.name, `is told ${JSON.stringify(change)}`);
    if (change.kind === "transfer") {
      server.transferLeadership(change.name).catch(refused);
      return true;
    }
    if (change.kind === "add") this.#nodes.get(change.name)?.enlist();
    if (change.kind === "replace") this.#nodes.get(change.by)?.enlist();
    try {
      server.changeMembers(change);
    } catch (error) {
      refused(error);
    }
    return true;
  }

  #crash({ node: name, downMs }: Downtime, withMachine: boolean): boolean {
    const node = this.#nodes.get(name);
    if (node?.isUp !== true) return false;
    node.crash(withMachine);
    node.restartAfter(downMs);
    return true;
  }

  #blackOut(downtimes: readonly Downtime[], forMs: number): boolean {
    const nodes = this.#world.nodes.filter(({ isUp }) => isUp);
    if (nodes.length === 0) return false;
    this.#world.trace.note("~", "all disks stand still");
    for (const { mood } of nodes) mood.isHung = true;
    return this.#until(forMs, () => {
      for (const { mood } of nodes) mood.isHung = false;
      for (const each of downtimes) this.#crash(each, true);
    });
  }

  #disturb(action: LinkAction): boolean {
    const { cut, network, links: moods, trace } = this.#world;
    const links = action.links.filter(([from, to]) => this.#isThere(from) && this.#isThere(to));
    if (links.length === 0) return false;
    trace.note("~", `${action.fault} ${links.map(([from, to]) => `${from}>${to}`).join(" ")}`);
    const until = (remedy: () => void): boolean =>
      "forMs" in action && this.#until(action.forMs, remedy);
    switch (action.fault) {
      case "cutPeers":
      case "cutClients":
        for (const [from, to] of links) network.cut(from, to);
        return true;
      case "halfOpen":
        for (const [from, to] of links) network.halfOpen(from, to);
        return true;
      case "tornFrame":
        moods.tear(links);
        return true;
      case "slowLinks":
        moods.slow(action, links, action.delayMs);
        return until(() => moods.heal(action));
      case "delaySpike":
        moods.spike(action, links, action.delayMs);
        return until(() => moods.heal(action));
      case "congestion":
        moods.congest(action, links, action.bytesPerSecond);
        return until(() => moods.heal(action));
      default:
        return this.#block(links, action.forMs, cut);
    }
  }

  #block(links: readonly Link[], forMs: number, cut: World["cut"]): boolean {
    for (const [from, to] of links) cut.blockOneWay(from, to);
    return this.#until(forMs, () => {
      for (const [from, to] of links) cut.unblockOneWay(from, to);
    });
  }

  #isThere(name: string): boolean {
    return this.#nodes.has(name) || this.#sites.has(name);
  }

  #strikeClient(action: ClientAction): boolean {
    const site = this.#sites.get(action.client);
    if (site === undefined) return false;
    const { host, application } = site;
    if (action.fault === "crashClient") {
      host.crash();
      application.start();
      return true;
    }
    host.stop();
    return this.#until(action.forMs, () => host.resume());
  }

  #until(durationMs: number, remedy: () => void): true {
    const once = (): void => {
      if (this.#remedies.delete(once)) remedy();
    };
    this.#remedies.add(once);
    this.#world.time.after(durationMs, once);
    return true;
  }
}

type NodeAction = Extract<FaultAction, { readonly node: string }>;
type DiskAction = Extract<
  FaultAction,
  { readonly fault: "failingDisk" | "readError" | "fullDisk" | "slowDisk" | "hungDisk" }
>;
type StepAction = Extract<FaultAction, { readonly fault: "stepCrash" }>;
type LinkAction = Extract<FaultAction, { readonly links: readonly Link[] }>;
type ClientAction = Extract<FaultAction, { readonly client: string }>;

/** A change may be refused; anything else goes on. */
function refused(error: unknown): void {
  if (!(error instanceof ServerError)) throw error;
}
