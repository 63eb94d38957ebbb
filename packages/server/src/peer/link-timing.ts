/** Times of the links between nodes, ms. */
export interface LinkTiming {
  /** A link asks whether the other side is there this often. */
  readonly keepaliveMs: number;
  /** After this many unanswered it is dead. Counted, not measured: a stall of this process makes no link look dead. */
  readonly silentKeepalivesMax: number;
  /**
   * The same for the side that is asked. Longer, because a large frame on a slow network is heard of only when it is
   * complete, and because nothing waits for it: a new link takes the place of a dead one.
   */
  readonly silentIncomingMax: number;
  readonly dialTimeoutMs: number;
  /** From the connection to the end of the greeting. */
  readonly greetingTimeoutMs: number;
  /** Pause before the first new attempt; doubles with each round of failed ones. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
}

/**
 * Defaults: a half-open link is noticed by who sends on it after three to four seconds, a node that restarts is reached within tens of
 * milliseconds.
 */
export const LINK_TIMING: LinkTiming = {
  keepaliveMs: 1_000,
  silentKeepalivesMax: 3,
  silentIncomingMax: 10,
  dialTimeoutMs: 1_000,
  greetingTimeoutMs: 3_000,
  retryMinMs: 20,
  retryMaxMs: 500,
};
