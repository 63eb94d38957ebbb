import type { Outcome } from "./outcome.ts";

/** What one attempt gave. */
export interface Attempt {
  readonly outcome: Outcome;
  /** A driver process was as good as a core busy, so that the figure may be its own. */
  readonly isDriverBound: boolean;
}

/** Tries with as many driver processes as it needs: with one more, from scratch, while the drivers were bound by CPU. */
export async function withEnoughDrivers(
  { from, max }: { readonly from: number; readonly max: number },
  attempt: (processes: number) => Promise<Attempt>,
): Promise<Outcome> {
  for (let count = Math.min(from, max); ; count += 1) {
    const { outcome, isDriverBound } = await attempt(count);
    if (!isDriverBound || count >= max) return outcome;
  }
}
