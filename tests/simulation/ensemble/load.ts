import type { Profile } from "./profile.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** Of the usual pause: as short and as long as it becomes. */
const PACE_MIN = 0.02;
const PACE_MAX = 4;
/** The steeper, the closer to the rate. */
const STEEPNESS = 8;
/** What the first moments are weighed against, s. */
const GRACE_S = 1;

/**
 * The calls that clients make on paths they share. They keep to a rate: after a time without answers they hurry until they
 * have made up for it, so that runs are under load whatever goes wrong in them, and spend no time on more.
 */
export class Load {
  readonly #time: VirtualTime;
  readonly #profile: Profile;
  #startMs = 0;
  #answered = 0;

  constructor(time: VirtualTime, profile: Profile) {
    this.#time = time;
    this.#profile = profile;
  }

  /** Calls that were answered. */
  get answered(): number {
    return this.#answered;
  }

  /** Clients are at work from now on. */
  start(): void {
    this.#startMs = this.#time.nowMs;
  }

  noteAnswered(): void {
    this.#answered += 1;
  }

  /** Mean pause of a client between two operations, as things stand. */
  get thinkMs(): number {
    const { thinkMs, callsPerSecond } = this.#profile;
    if (callsPerSecond === 0) return thinkMs;
    const grace = callsPerSecond * GRACE_S;
    const due = (callsPerSecond * (this.#time.nowMs - this.#startMs)) / 1_000;
    const pace = ((this.#answered + grace) / (due + grace)) ** STEEPNESS;
    return thinkMs * Math.min(PACE_MAX, Math.max(PACE_MIN, pace));
  }
}
