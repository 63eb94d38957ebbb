import { setImmediate, setTimeout } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { ManualClock } from "../../packages/server/src/memory/manual-clock.ts";
import { SystemClock } from "../../packages/server/src/system/system-clock.ts";
import { clockSuite } from "./clock.suite.ts";

clockSuite("the machine's", () => ({ clock: new SystemClock(), pass: passTurns }));

/**
 * One turn of the event loop for each millisecond: on a machine that is busy, time alone can pass without a turn in which
 * anything ran.
 */
async function passTurns(ms: number): Promise<void> {
  const end = performance.now() + ms;
  for (let turns = 0; turns < ms || performance.now() < end; turns += 1) {
    await setTimeout(1);
    await setImmediate();
  }
}

clockSuite("by hand", () => {
  const clock = new ManualClock();
  return { clock, pass: async (ms) => clock.advance(ms) };
});

describe("clock by hand", () => {
  test("each timer sees its own time, and what it adds runs in the same pass", () => {
    const clock = new ManualClock(100);
    const ran: string[] = [];
    clock.after(10, () => {
      ran.push(`first at ${clock.nowMs()}`);
      clock.after(5, () => ran.push(`second at ${clock.nowMs()}`));
      clock.endOfTurn(() => ran.push(`turn at ${clock.nowMs()}`));
    });
    clock.advance(50);
    expect(ran).toEqual(["first at 110", "turn at 110", "second at 115"]);
    expect(clock.nowMs()).toBe(150);
  });

  test("what fell due while the process stood still runs late, and periods are not made up for", () => {
    const clock = new ManualClock();
    let periods = 0;
    clock.every(10, () => {
      periods += 1;
    });
    clock.stall(1_000);
    expect(periods).toBe(0);
    clock.advance(0);
    expect(periods).toBe(1);
    clock.advance(20);
    expect(periods).toBe(3);
  });
});
