import { ServerError, asError } from "./errors.ts";
import type { MonotonicClock } from "./ports.ts";

/** One thing to close; undefined: there is nothing. */
type CloseStep = () => Promise<void> | undefined;

/**
 * Closes one thing after the other, all of them within `timeoutMs`: what fails to close, or hangs, keeps nothing else open.
 * Resolves with what failed first, null if nothing did; never rejects.
 */
export async function closeInOrder(
  clock: MonotonicClock,
  timeoutMs: number,
  steps: readonly CloseStep[],
): Promise<Error | null> {
  const deadlineMs = clock.nowMs() + timeoutMs;
  let failure: Error | null = null;
  for (const step of steps) {
    try {
      await within(clock, deadlineMs, step());
    } catch (error) {
      failure ??= asError(error);
    }
  }
  return failure;
}

/** Waits for `work`, but no longer than that. Rejects with STORAGE_FAILED: nothing else of a node can hang. */
function within(
  clock: MonotonicClock,
  deadlineMs: number,
  work: Promise<void> | undefined,
): Promise<void> {
  if (work === undefined) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const timer = clock.after(Math.max(1, deadlineMs - clock.nowMs()), () => {
      const text = "the disk did not answer while the node stopped";
      reject(new ServerError("STORAGE_FAILED", text));
    });
    work.finally(() => timer.cancel()).then(resolve, reject);
  });
}
