import type { FileOperation } from "../../../packages/server/src/memory/memory-files.ts";
import type { SeededRandom } from "../../../packages/server/src/memory/seeded-random.ts";
import type { DiskPlace, Downtime, FaultAction, Link, MemberChange } from "./fault-event.ts";
import { drawLinks } from "./link-draw.ts";
import type { Fault } from "./profile.ts";
import type { SimNode } from "./sim-node.ts";
import { drawStepCrash } from "./step-draw.ts";
import type { World } from "./world.ts";

const DOWN_MEAN_MS = 800;
/** Longest that a fault of a kind lasts, ms. */
const STOP_MS = 3_000;
const DISK_MS = 3_000;
const BLACKOUT_MS = 500;
const CLIENT_MS = 4_000;
const LINK_MS = 4_000;
const FULL_MS = 6_000;
/** Room that is left on a disk when it fills up, in segments: from none to a few, and for half of them less than one. */
const SPARE_SEGMENTS_MAX = 3;
const WALL_JUMP_MS = 1e9;
const OLD_MS = 8_000;
/** How often an operator's next word is about the node that the last one was about. */
const SAME_NODE_PART = 0.4;
const BACKUP_PAUSE_MS = 500;
const TAIL_LOSSES = ["whole", "within", "segment", "hole"] as const;
const FAILING_OPERATIONS: readonly FileOperation[] = ["write", "write", "write", "sync"];

/** Decides what goes wrong next, out of one stream of chance and of how things stand. */
export class FaultDraw {
  readonly #world: World;
  readonly #clients: readonly string[];
  readonly #random: SeededRandom;
  /** Whom the last change of members was about. */
  #lastNamed: string | null = null;

  constructor(world: World, clients: readonly string[]) {
    this.#world = world;
    this.#clients = clients;
    this.#random = world.stream("faults");
  }

  pauseMs(): number {
    return this.#world.profile.faultEveryMs * (0.2 + 1.6 * this.#random.nextFraction());
  }

  /** Null: nothing of that kind can happen now. */
  next(): FaultAction | null {
    const { faults } = this.#world.profile;
    const fault = faults[this.#random.nextBelow(faults.length)];
    return fault === undefined ? null : this.#draw(fault, this.#victim());
  }

  #draw(fault: Fault, node: SimNode): FaultAction | null {
    switch (fault) {
      case "crash":
      case "powerCut":
      case "readError":
      case "wipe":
        return { fault, ...this.#downtime(node) };
      case "damage":
      case "bitFlip":
      case "badSector":
        return { fault, ...this.#downtime(node), place: this.#place() };
      case "stepCrash":
        return {
          fault,
          ...this.#downtime(node),
          ...drawStepCrash(this.#random),
          place: this.#place(),
        };
      case "lostTail":
        return {
          fault,
          ...this.#downtime(node),
          how: this.#pick(TAIL_LOSSES),
          place: this.#place(),
        };
      case "oldDisk":
        return { fault, ...this.#downtime(node), afterMs: this.#duration(OLD_MS) };
      case "rot":
        return {
          fault,
          node: node.name,
          isImage: this.#random.nextFraction() < 0.5,
          place: this.#place(),
        };
      case "misdirectedWrite":
        return { fault, ...this.#downtime(node), place: this.#place(), to: this.#place() };
      case "crashAll":
        return { fault, downtimes: this.#world.nodes.map((each) => this.#downtime(each)) };
      case "blackout":
        return {
          fault,
          forMs: this.#duration(BLACKOUT_MS),
          downtimes: this.#world.nodes.map((each) => this.#downtime(each)),
        };
      case "restart":
        return { fault, node: node.name };
      case "stop":
        return { fault, node: node.name, forMs: this.#duration(STOP_MS) };
      case "slowDisk":
      case "hungDisk":
        return { fault, node: node.name, forMs: this.#duration(DISK_MS) };
      case "failingDisk":
        return { fault, node: node.name, operation: this.#pick(FAILING_OPERATIONS) };
      case "fullDisk":
        return {
          fault,
          node: node.name,
          spareBytes: this.#spareBytes(),
          forMs: 500 + this.#duration(FULL_MS),
        };
      case "wallJump":
        return { fault, node: node.name, byMs: (this.#random.nextFraction() - 0.5) * WALL_JUMP_MS };
      case "members":
        return this.#drawMembers();
      case "backup":
        return {
          fault,
          node: node.name,
          isLocal: this.#random.nextFraction() < 0.3,
          pauseMs: this.#duration(BACKUP_PAUSE_MS),
        };
      case "stopClient":
        return { fault, client: this.#pick(this.#clients), forMs: this.#duration(CLIENT_MS) };
      case "crashClient":
        return { fault, client: this.#pick(this.#clients) };
      default:
        return this.#drawLinkFault(fault, node);
    }
  }

  #drawLinkFault(fault: LinkFault, node: SimNode): FaultAction {
    const links = this.#links(fault, node);
    const forMs = this.#duration(LINK_MS);
    switch (fault) {
      case "cutPeers":
      case "cutClients":
      case "tornFrame":
      case "halfOpen":
        return { fault, links };
      case "slowLinks":
        return { fault, links, forMs, delayMs: 5 + 60 * this.#random.nextFraction() };
      case "delaySpike":
        return { fault, links, forMs: 20 + forMs / 8, delayMs: 20 + this.#duration(1_500) };
      case "congestion":
        return { fault, links, forMs, bytesPerSecond: 4_000 + this.#random.nextBelow(60_000) };
      default:
        return { fault, links, forMs };
    }
  }

  #links(fault: LinkFault, node: SimNode): readonly Link[] {
    const peers = this.#world.nodes.map(({ name }) => name);
    return drawLinks(fault, { node: node.name, peers, clients: this.#clients }, this.#random);
  }

  #drawMembers(): FaultAction | null {
    const random = this.#random;
    const membership = this.#world.leader()?.server?.status().membership ?? null;
    if (membership === null) return null;
    const isAgain = random.nextFraction() < SAME_NODE_PART;
    const everybody = this.#world.nodes.map(({ name }) => name);
    const name = (isAgain ? this.#lastNamed : null) ?? this.#pick(everybody);
    this.#lastNamed = name;
    const members = membership.members.map((member) => member.name);
    const change = members.includes(name) ? this.#toMember(name) : this.#toOther(name, members);
    return { fault: "members", change };
  }

  #toMember(name: string): MemberChange {
    const dice = this.#random.nextFraction();
    if (dice < 0.3) return { kind: "transfer", name };
    return { kind: dice < 0.8 ? "remove" : "promote", name };
  }

  #toOther(name: string, members: readonly string[]): MemberChange {
    const random = this.#random;
    return random.nextFraction() < 0.5
      ? { kind: "add", name, staysLearner: random.nextFraction() < 0.3 }
      : { kind: "replace", name: this.#pick(members), by: name };
  }

  #downtime({ name }: SimNode): Downtime {
    return { node: name, downMs: DOWN_MEAN_MS * (0.1 + 2 * this.#random.nextFraction()) };
  }

  #place(): DiskPlace {
    const random = this.#random;
    const [record, offset] = [random.nextFraction(), random.nextFraction()];
    return { record, offset, bit: random.nextBelow(8) };
  }

  #spareBytes(): number {
    const part = this.#random.nextFraction();
    return Math.floor(SPARE_SEGMENTS_MAX * this.#world.profile.segmentBytes * part * part);
  }

  /** Short more often than long. */
  #duration(mostMs: number): number {
    const part = this.#random.nextFraction();
    return 50 + mostMs * part * part;
  }

  #victim(): SimNode {
    const { nodes, profile } = this.#world;
    const leader = this.#random.nextFraction() < profile.leaderHunt ? this.#world.leader() : null;
    return leader ?? this.#pick(nodes);
  }

  #pick<T>(choices: readonly T[]): T {
    const choice = choices[this.#random.nextBelow(choices.length)];
    if (choice === undefined) throw new Error("there is nothing to choose from");
    return choice;
  }
}

type LinkFault = Extract<FaultAction, { readonly links: readonly Link[] }>["fault"];
