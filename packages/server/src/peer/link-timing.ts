/** Times of the links between nodes, ms. */
export interface LinkTiming {
  /** A link asks whether the other side is there this often. */
  readonly keepaliveMs: number;
  /** After this many unanswered it is dead. Counted, not measured: a stall of this process makes no link look dead. */
  readonly silentKeepalivesMax: number;
  readonly dialTimeoutMs: number;
  /** From the connection to the end of the greeting. */
  readonly greetingTimeoutMs: number;
  /** Pause before the first new attempt; doubles with each round of failed ones. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
}

/**
 * Defaults: a half-open link is noticed after three to four seconds, a node that restarts is reached within tens of
 * milliseconds.
 */
export const LINK_TIMING: LinkTiming = {
  keepaliveMs: 1_000,
  silentKeepalivesMax: 3,
  dialTimeoutMs: 1_000,
  greetingTimeoutMs: 3_000,
  retryMinMs: 20,
  retryMaxMs: 500,
};
