import type { MonotonicClock } from "./ports.ts";

const POLL_MS = 5;

/** Looks every few milliseconds whether something holds. Resolves with true when it does, with false after `timeoutMs`. */
export function pollUntil(
  clock: MonotonicClock,
  timeoutMs: number,
  holds: () => boolean,
): Promise<boolean> {
  const deadlineMs = clock.nowMs() + timeoutMs;
  return new Promise((resolve) => {
    const timer = clock.every(POLL_MS, () => {
      const held = holds();
      if (!held && clock.nowMs() < deadlineMs) return;
      timer.cancel();
      resolve(held);
    });
  });
}
