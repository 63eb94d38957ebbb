import { expect, test } from "vitest";
import { UnsuspendedClock } from "./unsuspended-clock.ts";

class Platform {
  #steadyMs = 5_000.25;
  #wallMs = 1_700_000_000_000;
  readonly clock = new UnsuspendedClock({
    steadyMs: () => this.#steadyMs,
    wallMs: () => Math.floor(this.#wallMs),
  });

  /** Both clocks go on. */
  run(ms: number): void {
    this.#steadyMs += ms;
    this.#wallMs += ms;
  }

  /** The wall clock alone: the machine is suspended, or somebody set it. */
  shift(ms: number): void {
    this.#wallMs += ms;
  }
}

test("is the monotonic clock while both go alike", () => {
  const platform = new Platform();
  for (let i = 1; i <= 1_000; i += 1) {
    platform.run(0.7);
    expect(platform.clock.nowMs()).toBeCloseTo(5_000.25 + i * 0.7, 5);
  }
  expect(platform.clock.aheadMs()).toBe(0);
});

test("goes on while the machine is suspended, also twice", () => {
  const platform = new Platform();
  platform.run(1_000);
  platform.shift(60_000);
  platform.run(10);
  expect(platform.clock.nowMs()).toBe(5_000.25 + 61_010);
  expect(platform.clock.aheadMs()).toBe(60_000);
  platform.run(500);
  platform.shift(700);
  expect(platform.clock.aheadMs()).toBe(60_700);
  expect(platform.clock.nowMs()).toBe(5_000.25 + 61_510 + 700);
  platform.run(20);
  expect(platform.clock.nowMs()).toBe(5_000.25 + 61_530 + 700);
});

test("a wall clock that is slewed changes nothing, however long", () => {
  const platform = new Platform();
  // Ten minutes, looked at every two and a half seconds, at the fastest that NTP slews.
  for (const sign of [1, -1]) {
    for (let i = 0; i < 240; i += 1) {
      platform.run(2_500);
      platform.shift(sign * 2_500 * 0.0005);
      platform.clock.nowMs();
    }
  }
  expect(platform.clock.aheadMs()).toBe(0);
});

test("a wall clock that is set back changes nothing, and a suspend after it counts in full", () => {
  const platform = new Platform();
  platform.run(1_000);
  platform.shift(-3_600_000);
  expect(platform.clock.nowMs()).toBe(6_000.25);
  platform.run(1_000);
  expect(platform.clock.nowMs()).toBe(7_000.25);
  platform.shift(30_000);
  expect(platform.clock.nowMs()).toBe(37_000.25);
});

test("a wall clock that is set forward cannot be told from a suspend", () => {
  const platform = new Platform();
  platform.run(1_000);
  platform.shift(5_000);
  expect(platform.clock.nowMs()).toBe(11_000.25);
});
