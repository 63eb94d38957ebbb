import { expect, test } from "vitest";
import { Load } from "./ensemble/load.ts";
import { drawProfile } from "./ensemble/profile.ts";
import { VirtualTime } from "./ensemble/virtual-time.ts";

const THINK_MS = 100;

/** The pause after `seconds` in which `answered` calls were answered, where `rate` a second are due. */
async function pauseAfter(seconds: number, answered: number, rate: number): Promise<number> {
  const time = new VirtualTime();
  const load = new Load(time, { ...drawProfile(1), thinkMs: THINK_MS, callsPerSecond: rate });
  await time.runUntil(5_000);
  load.start();
  await time.runUntil(5_000 + seconds * 1_000);
  for (let call = 0; call < answered; call += 1) load.noteAnswered();
  expect(load.answered).toBe(answered);
  return load.thinkMs;
}

test("who keeps to the rate pauses as usual, who is behind hurries, who is ahead takes its time", async () => {
  expect(await pauseAfter(10, 400, 40)).toBe(THINK_MS);
  expect(await pauseAfter(10, 380, 40)).toBeLessThan(0.8 * THINK_MS);
  expect(await pauseAfter(10, 420, 40)).toBeGreaterThan(1.2 * THINK_MS);
});

test("both have an end", async () => {
  expect(await pauseAfter(10, 0, 40)).toBe(0.02 * THINK_MS);
  expect(await pauseAfter(10, 4_000, 40)).toBe(4 * THINK_MS);
});

test("without a rate pauses are as they are", async () => {
  expect(await pauseAfter(10, 0, 0)).toBe(THINK_MS);
});
