import type { Application } from "./application.ts";
import { FaultDraw } from "./fault-draw.ts";
import type { FaultEvent } from "./fault-event.ts";
import { Inflictor } from "./inflictor.ts";
import type { Fault } from "./profile.ts";
import type { SimClient } from "./sim-client.ts";
import type { World } from "./world.ts";

/** Whether nodes that lost their data serve again is looked at this often. */
const LOOK_MS = 100;

/** Disks that were struck when the ensemble was not in its best state. */
export interface Strikes {
  readonly together: number;
  readonly whileDown: number;
}

/** A client host and what runs on it. */
export interface ClientSite {
  readonly host: SimClient;
  readonly application: Application;
}

/**
 * Does what the profile allows, one thing after another, or what a plan says, until it is told to stop; then puts
 * everything right.
 */
export class Nemesis {
  readonly #world: World;
  readonly #draw: FaultDraw;
  readonly #inflictor: Inflictor;
  readonly #planned: readonly FaultEvent[] | null;
  readonly #happened: FaultEvent[] = [];
  readonly #counts = new Map<Fault, number>();
  #startMs = 0;
  #isOver = false;

  /** `planned` null: drawn. */
  constructor(
    world: World,
    sites: readonly ClientSite[],
    planned: readonly FaultEvent[] | null = null,
  ) {
    this.#world = world;
    this.#inflictor = new Inflictor(world, sites);
    this.#planned = planned;
    this.#draw = new FaultDraw(
      world,
      sites.map(({ host }) => host.name),
    );
  }

  /** What happened so far, as a plan. */
  get happened(): readonly FaultEvent[] {
    return this.#happened;
  }

  /** Of those that wait for something to happen at, those that met it. */
  get counts(): ReadonlyMap<Fault, number> {
    const crashes = this.#world.nodes.reduce((sum, { stepCrashes }) => sum + stepCrashes, 0);
    const counts = new Map<Fault, number>([...this.#counts, ...this.#inflictor.forgot]);
    if (crashes > 0) counts.set("stepCrash", crashes);
    return counts;
  }

  /** Disks that were struck while another one was not made good, and while others did not serve. */
  get strikes(): Strikes {
    const { struckTogether, struckWhileDown } = this.#inflictor;
    return { together: struckTogether, whileDown: struckWhileDown };
  }

  start(): void {
    const { time } = this.#world;
    this.#startMs = time.nowMs;
    this.#look();
    if (this.#planned === null) {
      this.#scheduleNext();
      return;
    }
    for (const event of this.#planned) {
      time.at(this.#startMs + event.atMs, () => {
        if (!this.#isOver) this.#inflict(event);
      });
    }
  }

  /** No more faults, and everything that was broken works again. */
  stop(): void {
    this.#isOver = true;
    this.#world.trace.note("!", "everything is healed");
    this.#inflictor.healAll();
  }

  #scheduleNext(): void {
    const { time } = this.#world;
    time.after(this.#draw.pauseMs(), () => {
      if (this.#isOver) return;
      const action = this.#draw.next();
      if (action !== null) this.#inflict({ atMs: time.nowMs - this.#startMs, ...action });
      this.#scheduleNext();
    });
  }

  #look(): void {
    const { nodes, time } = this.#world;
    for (const node of nodes) node.look();
    time.after(LOOK_MS, () => this.#look());
  }

  #inflict(event: FaultEvent): void {
    if (!this.#inflictor.inflict(event)) return;
    this.#happened.push(event);
    const { fault } = event;
    // These have only begun.
    if (fault === "lostTail" || fault === "oldDisk" || fault === "stepCrash") return;
    this.#counts.set(fault, (this.#counts.get(fault) ?? 0) + 1);
  }
}
