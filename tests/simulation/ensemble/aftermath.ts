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
