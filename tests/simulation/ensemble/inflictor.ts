import { ServerError } from "../../../packages/server/src/errors.ts";
import type { DiskPlace, Downtime, FaultAction, Link, MemberChange } from "./fault-event.ts";
import type { ClientSite } from "./nemesis.ts";
import { serves } from "./serves.ts";
import type { SimNode } from "./sim-node.ts";
import type { World } from "./world.ts";

/** Whether a disk may forget something is looked at this often, and for so long, ms. */
const LOOK_MS = 50;
const FORGET_WITHIN_MS = 4_000;

/** Lets faults happen, and puts right those that last. */
export class Inflictor {
  readonly #world: World;
  readonly #sites: ReadonlyMap<string, ClientSite>;
  readonly #nodes: ReadonlyMap<string, SimNode>;
  /** What ends faults that last. */
  readonly #remedies = new Set<() => void>();
  #isHealed = false;
  readonly #forgot = new Map<ForgettingFault, number>();
  #struckTogether = 0;
  #struckWhileDown = 0;

  constructor(world: World, sites: readonly ClientSite[]) {
    this.#world = world;
    this.#sites = new Map(sites.map((site) => [site.host.name, site]));
    this.#nodes = new Map(world.nodes.map((node) => [node.name, node]));
  }

  /** Disks that forgot something: whether one does is seen later than it begins. */
  get forgot(): ReadonlyMap<ForgettingFault, number> {
    return this.#forgot;
  }

  /** Disks that were struck while another one was not made good. */
  get struckTogether(): number {
    return this.#struckTogether;
  }

  /** Disks that were struck while others did not serve, with whole disks. */
  get struckWhileDown(): number {
    return this.#struckWhileDown;
  }

  /** Ends everything that lasts; whoever is to run runs. Nothing happens any more. */
  healAll(): void {
    this.#isHealed = true;
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
        return this.#world.losses.mayGoDown(node) && node.terminate();
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
      case "lostTail":
        return this.#loseTail(node, action);
      case "oldDisk":
        return this.#turnBack(node, action);
      case "damage":
        return this.#lose(node, action.downMs, () => node.damage(action.place));
      case "badSector":
        return this.#lose(node, action.downMs, () => node.breakSector(action.place));
      case "bitFlip":
        return this.#lose(node, action.downMs, () => this.#spoil(node, action.place, null));
      case "rot":
        if (!this.#world.losses.mayRot(node)) return false;
        this.#noteTogether(node);
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
    if (!node.isUp || (from === "damage" && !this.#world.losses.mayLose(node))) return false;
    if (!node.crashAt(step, withMachine, downMs)) return false;
    if (from === "damage") this.#lose(node, downMs, () => node.damage(place));
    else if (from !== "now") this.#crash(action, from === "powerCut");
    return this.#until(withinMs, () => node.spare());
  }

  #strikeDisk(action: DiskAction, node: SimNode): boolean {
    const { mood } = node;
    switch (action.fault) {
      case "failingDisk":
        if (!node.isUp || !this.#world.losses.mayGoDown(node)) return false;
        node.failNext(action.operation);
        return true;
      case "readError":
        // Nobody reads as much as one that starts.
        if (!this.#crash(action, false)) return false;
        node.failNext("read");
        return true;
      case "fullDisk":
        if (!node.isUp || !this.#world.losses.mayGoDown(node)) return false;
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
    if (!this.#world.losses.mayLose(node)) return false;
    this.#noteTogether(node);
    node.crash(true);
    loss();
    node.restartAfter(downMs);
    return true;
  }

  /** True: its disk is copied. Whether it is put back is seen then. */
  #turnBack(node: SimNode, { afterMs, downMs }: TurnBack): boolean {
    if (!node.isWhole || !node.isUnharmed || node.server === null) return false;
    this.#world.trace.note(node.name, "its disk is copied");
    const copy = node.copyDisk();
    return this.#forgetSoon(node, afterMs, {
      fault: "oldDisk",
      isHarmless: () => this.#world.losses.mayTurnBack(node, copy),
      strike: () => node.turnBack(copy),
      downMs,
    });
  }

  #loseTail(node: SimNode, action: Extract<FaultAction, { readonly fault: "lostTail" }>): boolean {
    return this.#forgetSoon(node, 0, {
      fault: "lostTail",
      isHarmless: () => node.isUnharmed && this.#world.losses.mayForget(node),
      strike: () => node.loseTail(action),
      downMs: action.downMs,
    });
  }

  /** At the first moment from then on at which the specification forgives it; it may never come. */
  #forgetSoon(node: SimNode, afterMs: number, forgetting: Forgetting): true {
    const { time } = this.#world;
    const { fault, isHarmless, strike, downMs } = forgetting;
    const latestMs = time.nowMs + afterMs + FORGET_WITHIN_MS;
    const look = (): void => {
      if (this.#isHealed || time.nowMs > latestMs) return;
      if (!isHarmless()) {
        time.after(LOOK_MS, look);
        return;
      }
      this.#forgot.set(fault, (this.#forgot.get(fault) ?? 0) + 1);
      strike();
      node.restartAfter(downMs);
    };
    time.after(afterMs, look);
    return true;
  }

  /** A second disk is struck while the first is not made good, or one of somebody's while not all others serve. */
  #noteTogether(node: SimNode): void {
    const others = this.#world.nodes.filter((each) => each !== node && each.isEnlisted);
    if (others.some(({ isWhole }) => !isWhole)) this.#struckTogether += 1;
    else if (others.some(({ server }) => !serves(server))) this.#struckWhileDown += 1;
  }

  #changeMembers(change: MemberChange): boolean {
    const { trace } = this.#world;
    const leader = this.#world.leader();
    const server = leader?.server ?? null;
    if (leader === null || server === null || !this.#world.losses.isWhole) return false;
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
    if (node?.isUp !== true || !this.#world.losses.mayGoDown(node)) return false;
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

type TurnBack = Extract<FaultAction, { readonly fault: "oldDisk" }>;
/** What lets a disk forget something. */
type ForgettingFault = "lostTail" | "oldDisk";
interface Forgetting {
  readonly fault: ForgettingFault;
  isHarmless(): boolean;
  strike(): void;
  readonly downMs: number;
}

/** A change may be refused; anything else goes on. */
function refused(error: unknown): void {
  if (!(error instanceof ServerError)) throw error;
}
