import type { NodeId } from "@quorate/raft";
import type { RunProfile } from "./profile.ts";
import type { SimRandom } from "./random.ts";
import type { Schedule } from "./schedule.ts";

/** One-way links between all nodes, each of which can be cut; messages are lost, doubled, late and out of order. */
export class SimNetwork {
  readonly #profile: RunProfile;
  readonly #random: SimRandom;
  readonly #schedule: Schedule;
  readonly #cut = new Set<string>();
  isCalm = false;
  sent = 0;

  constructor(profile: RunProfile, random: SimRandom, schedule: Schedule) {
    this.#profile = profile;
    this.#random = random;
    this.#schedule = schedule;
  }

  cut(from: NodeId, to: NodeId): void {
    this.#cut.add(`${from}>${to}`);
  }

  isCut(from: NodeId, to: NodeId): boolean {
    return this.#cut.has(`${from}>${to}`);
  }

  heal(): void {
    this.#cut.clear();
  }

  /** Delivers in its own time, perhaps twice, perhaps never. */
  carry(from: NodeId, to: NodeId, deliver: () => void): void {
    this.sent += 1;
    if (this.isCalm) {
      this.#schedule.after(500, deliver);
      return;
    }
    if (this.isCut(from, to) || this.#random.chance(this.#profile.loss)) return;
    this.#schedule.after(this.#delay(), deliver);
    if (this.#random.chance(this.#profile.duplicate))
      this.#schedule.after(this.#delay() * 4, deliver);
  }

  #delay(): number {
    const late = this.#random.chance(this.#profile.straggler);
    return this.#random.around(late ? this.#profile.stragglerUs : this.#profile.delayUs);
  }
}
