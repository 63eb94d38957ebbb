import { setTimeout as sleep } from "node:timers/promises";

const POLL_MS = 20;

/**
 * Asks again and again until the answer is not null. Throws after `timeoutMs`, naming what was waited for: a wait always
 * has a condition and an end, never a fixed length.
 */
export async function poll<T>(
  what: string,
  timeoutMs: number,
  attempt: () => Promise<T | null> | T | null,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await attempt();
    if (found !== null) return found;
    if (performance.now() > deadline) {
      throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    }
    await sleep(POLL_MS);
  }
}
