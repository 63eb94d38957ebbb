import type { QuorateClient } from "@quorate/client";
import { ServerError } from "../../../packages/server/src/errors.ts";
import { Violation } from "../violation.ts";
import type { ClientSite } from "./nemesis.ts";
import type { World } from "./world.ts";

/** Election timeouts within which the others go on without a minority that is gone: an election, and clients that find it. */
const MINORITY_TIMEOUTS = 20;
/** Until a session has ended: a leader that comes on the way gives all of them another timeout. */
const EXPIRY_TIMEOUTS = 2;
const EXPIRY_MS = 1_500;
/** Until what an operator orders again and again has happened. */
const ORDER_MS = 30_000;
const POLL_MS = 50;
const FORGET_WITHIN_MS = 5_000;
const FORGET_DOWN_MS = 200;
const TAIL_LOSSES = ["whole", "within", "segment", "hole"] as const;
/** What may keep whoever leads from going on. */
const WAYS_TO_STRAND = ["disk", "deaf", "unheard", "alone"] as const;
/** So that a majority of those that stay is one without one of them. */
const VOTERS_MIN = 4;

/** What a run lends. */
export interface AftermathPorts {
  readonly isWorking: boolean;
  isReady(): boolean;
  wait(what: string, limitMs: number, isDone: () => boolean): Promise<void>;
  /** Looks at something in a session of its own. */
  readOnce(what: string, look: (client: QuorateClient) => Promise<void>): Promise<void>;
}

/**
 * What is asked of a healthy ensemble, once the faults of a run are over: faults hide what is late or never comes, as long as
 * something else may be the reason.
 */
export class Aftermath {
  readonly #world: World;
  readonly #sites: readonly ClientSite[];
  readonly #ports: AftermathPorts;

  constructor(world: World, sites: readonly ClientSite[], ports: AftermathPorts) {
    this.#world = world;
    this.#sites = sites;
    this.#ports = ports;
  }

  async run(): Promise<void> {
    await this.#loseMinority();
    await this.#transferLead();
    await this.#forget();
    await this.#needTheDamaged();
    await this.#removeVoter();
    await this.#strandLeader();
    await this.#loseClient();
  }

  /** A majority is enough: whoever leads and as many others as may be gone are killed, and clients are answered all the same. */
  async #loseMinority(): Promise<void> {
    const { profile, load } = this.#world;
    const leader = this.#world.leader();
    const voters = this.#world.voters();
    const others = voters.filter((node) => node !== leader);
    const byRank = [...voters.filter((node) => node === leader), ...others];
    const gone = byRank.slice(0, (voters.length - 1) >> 1);
    if (gone.length === 0 || !this.#ports.isWorking) return;
    for (const node of gone) node.crash(false);
    const enough = load.answered + this.#sites.length;
    const limitMs = MINORITY_TIMEOUTS * profile.electionTimeoutMs + profile.sessionTimeoutMs;
    const isServed = (): boolean => load.answered >= enough;
    await this.#ports.wait("operations to succeed without a minority", limitMs, isServed);
    for (const node of gone) node.start();
    await this.#ports.wait("the minority to serve again", ORDER_MS, () => this.#ports.isReady());
  }

  /**
   * Whoever leads cannot go on, and that does not end: its disk does not answer, or it is cut off from the other nodes, one
   * way or both. The others go on without it, and it is no burden to clients.
   */
  async #strandLeader(): Promise<void> {
    const { profile, load, cut, trace } = this.#world;
    const leader = this.#world.leader();
    const others = this.#world.nodes.filter((node) => node !== leader && node.isUp);
    if (leader === null || this.#world.voters().length < 3 || !this.#ports.isWorking) return;
    const way = WAYS_TO_STRAND[this.#world.stream("strand").nextBelow(WAYS_TO_STRAND.length)];
    trace.note(leader.name, `is stranded: ${way}`);
    if (way === "disk") leader.mood.isHung = true;
    for (const { name } of others) {
      if (way === "unheard" || way === "alone") cut.blockOneWay(leader.name, name);
      if (way === "deaf" || way === "alone") cut.blockOneWay(name, leader.name);
    }
    const enough = load.answered + 2 * this.#sites.length;
    const limitMs = MINORITY_TIMEOUTS * profile.electionTimeoutMs + 2 * profile.sessionTimeoutMs;
    const isServed = (): boolean => load.answered >= enough && this.#world.leader() !== leader;
    await this.#ports.wait(`others to lead while ${leader.name} is stranded`, limitMs, isServed);
    leader.mood.isHung = false;
    cut.heal();
    await this.#ports.wait("who was stranded to serve again", ORDER_MS, () =>
      this.#ports.isReady(),
    );
  }

  /** Where no priority says otherwise the lead goes to whom an operator names. */
  async #transferLead(): Promise<void> {
    const { profile } = this.#world;
    const leader = this.#world.leader();
    const others = this.#world.voters().filter((node) => node !== leader);
    const to = others[this.#world.stream("orders").nextBelow(Math.max(1, others.length))];
    if (profile.isRanked || to === undefined) return;
    let isUnderWay = false;
    const order = async (): Promise<void> => {
      try {
        await this.#world.leader()?.server?.transferLeadership(to.name);
      } catch (error) {
        refused(error);
      }
      isUnderWay = false;
    };
    await this.#ports.wait(`${to.name} to lead, as it was told`, ORDER_MS, () => {
      if (this.#world.leader() === to) return true;
      if (!isUnderWay) {
        isUnderWay = true;
        order().catch((error: unknown) => this.#world.fail(error));
      }
      return false;
    });
  }

  /** A disk lacks what its node has acknowledged, and nothing else goes wrong: whoever leads goes on, and knows. */
  async #forget(): Promise<void> {
    const { profile, losses, load, time } = this.#world;
    const random = this.#world.stream("forget");
    const ways = profile.faults.filter((fault) => fault === "lostTail" || fault === "oldDisk");
    const way = ways[random.nextBelow(Math.max(1, ways.length))];
    const voters = this.#world.voters();
    const node = voters.find((voter) => voter !== this.#world.leader());
    if (way === undefined || node === undefined || !this.#ports.isWorking) return;
    const copy = way === "oldDisk" ? node.copyDisk() : null;
    const enough = load.answered + 2 * this.#sites.length;
    await this.#ports.wait("operations", ORDER_MS, () => load.answered >= enough);
    const latestMs = time.nowMs + FORGET_WITHIN_MS;
    const isHarmless = (): boolean =>
      copy === null ? losses.mayForget(node) : losses.mayTurnBack(node, copy);
    // What has rotted somewhere and was not found yet is in the way.
    const isDecided = (): boolean => isHarmless() || time.nowMs > latestMs;
    await this.#ports.wait("a moment to forget", ORDER_MS, isDecided);
    if (!isHarmless() || node === this.#world.leader()) return;
    const [record, offset] = [random.nextFraction(), random.nextFraction()];
    const how = TAIL_LOSSES[random.nextBelow(TAIL_LOSSES.length)] ?? "whole";
    if (copy === null) node.loseTail({ how, place: { record, offset, bit: 0 } });
    else node.turnBack(copy);
    node.restartAfter(FORGET_DOWN_MS);
    const isMadeGood = (): boolean => node.isWhole && this.#ports.isReady();
    await this.#ports.wait(`${node.name}, who forgot, to be whole`, ORDER_MS, isMadeGood);
  }

  /**
   * As many are down as may be, and one of the others finds that its log is damaged. It stays, as nothing could be decided
   * without it, and is made good once the others are back.
   */
  async #needTheDamaged(): Promise<void> {
    const { profile, losses, load, time } = this.#world;
    const leader = this.#world.leader();
    const voters = this.#world.voters();
    const [damaged, ...others] = voters.filter((voter) => voter !== leader);
    const gone = others.slice(0, (voters.length - 1) >> 1);
    const isMeant = profile.faults.includes("rot") && profile.scrubMs > 0 && gone.length > 0;
    if (damaged === undefined || !isMeant || !this.#ports.isWorking || !losses.isWhole) return;
    if (!losses.mayRot(damaged)) return;
    for (const node of gone) node.crash(false);
    const random = this.#world.stream("need");
    // Where the log is newest, or it may be removed before anybody looks.
    const place = { record: 1 - random.nextFraction() / 8, offset: random.nextFraction(), bit: 0 };
    await damaged.rot(place, false);
    const foundMs = time.nowMs + 3 * profile.scrubMs;
    await this.#ports.wait("damage to be found", ORDER_MS, () => time.nowMs > foundMs);
    const enough = load.answered + this.#sites.length;
    const limitMs = MINORITY_TIMEOUTS * profile.electionTimeoutMs + profile.sessionTimeoutMs;
    const isServed = (): boolean => load.answered >= enough;
    await this.#ports.wait(`operations while ${damaged.name} is needed`, limitMs, isServed);
    for (const node of gone) node.start();
    const isMadeGood = (): boolean => this.#ports.isReady() && damaged.isWhole;
    await this.#ports.wait(`${damaged.name} to be made good`, 2 * ORDER_MS, isMadeGood);
  }

  /** Of more than three voters one that does not lead is removed. */
  async #removeVoter(): Promise<void> {
    const voters = this.#world.voters();
    const leader = this.#world.leader();
    const gone = voters.findLast((node) => node !== leader);
    if (voters.length < VOTERS_MIN || gone === undefined) return;
    await this.#ports.wait(`${gone.name} to be removed`, ORDER_MS, () => {
      const members = this.#world.members();
      if (members === null) return false;
      if (!members.includes(gone)) return !gone.wasMember;
      try {
        this.#world.leader()?.server?.changeMembers({ kind: "remove", name: gone.name });
      } catch (error) {
        refused(error);
      }
      return false;
    });
  }

  /** A client that is gone loses its session, and not only in the end. */
  async #loseClient(): Promise<void> {
    const { time, profile } = this.#world;
    const site = this.#sites.at(-1);
    const session = site?.application.session ?? null;
    if (site === undefined || session === null) return;
    site.host.crash();
    const { sessionTimeoutMs, electionTimeoutMs } = profile;
    const limitMs = EXPIRY_TIMEOUTS * sessionTimeoutMs + 2 * electionTimeoutMs + EXPIRY_MS;
    let leader = this.#world.leader();
    let endMs = time.nowMs + limitMs;
    await this.#ports.readOnce("the end of a session", async (client) => {
      while ((await client.sessions()).some(({ id }) => id === session)) {
        if (leader !== this.#world.leader()) {
          leader = this.#world.leader();
          endMs = time.nowMs + limitMs;
        }
        if (time.nowMs > endMs) {
          throw new Violation("S3 expiry in time", `session ${session} outlives its client`);
        }
        await time.pause(POLL_MS);
      }
    });
    site.application.start();
    const isBack = (): boolean => site.application.session !== null;
    await this.#ports.wait("a new session of that client", ORDER_MS, isBack);
  }
}

/** An order may be refused, and is repeated. */
function refused(error: unknown): void {
  if (!(error instanceof ServerError)) throw error;
}
