/** The two clocks that platforms have, each in ms. */
export interface PlatformClocks {
  /** Never goes back. On some platforms it stands still while the machine is suspended, and timers with it. */
  readonly steadyMs: () => number;
  /** The time of day: it goes on meanwhile, and is corrected, set forward or set back now and then. */
  readonly wallMs: () => number;
}

/**
 * What the wall clock goes further than the other between two looks is a suspend from here on, ms. Less comes from rounding, of
 * which privacy settings of browsers do much, and from slow corrections; the margin before a session's deadline is for that.
 */
const SUSPENDED_MIN_MS = 100;

/**
 * A monotonic clock that goes on while the machine is suspended: it is ahead of the platform's by what the wall clock went
 * further. A wall clock that is set forward looks the same, and costs at worst a session that could have lived on; one that is
 * set back changes nothing. Only where both happen at once, a suspend and a setting back, is time missed.
 */
export class UnsuspendedClock {
  readonly #clocks: PlatformClocks;
  #aheadMs = 0;
  /** Both clocks at the last look. */
  #steadyMs: number;
  #wallMs: number;

  constructor(clocks: PlatformClocks) {
    this.#clocks = clocks;
    this.#steadyMs = clocks.steadyMs();
    this.#wallMs = clocks.wallMs();
  }

  /** Monotonic, ms, with fractions. */
  nowMs(): number {
    const steadyMs = this.#clocks.steadyMs();
    const wallMs = this.#clocks.wallMs();
    const missedMs = wallMs - this.#wallMs - (steadyMs - this.#steadyMs);
    if (missedMs > SUSPENDED_MIN_MS) this.#aheadMs += missedMs;
    this.#steadyMs = steadyMs;
    this.#wallMs = wallMs;
    return steadyMs + this.#aheadMs;
  }

  /** How far it is ahead of the platform's monotonic clock at this moment, ms. */
  aheadMs(): number {
    this.nowMs();
    return this.#aheadMs;
  }
}
