/** Of a rate, from which on it counts as sustained: what is missing then is the wait for the last answers. */
const SUSTAINED_SHARE = 0.99;

/** Whether an open loop of `ratePerSecond` was kept up with; a closed loop's 0 always is. */
export function isSustained(ratePerSecond: number, perSecond: number): boolean {
  return perSecond >= ratePerSecond * SUSTAINED_SHARE;
}
