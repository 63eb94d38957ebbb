import { describe, expect, test } from "vitest";
import type { MonotonicClock } from "../../packages/server/src/ports.ts";

export interface ClockUnderTest {
  readonly clock: MonotonicClock;
  /** Lets so much time pass, and everything that falls due meanwhile happen. */
  pass(ms: number): Promise<void>;
}

/** What every implementation of the port does. */
export function clockSuite(name: string, setUp: () => ClockUnderTest): void {
  describe(`clock: ${name}`, () => {
    test("never goes back", async () => {
      const { clock, pass } = setUp();
      const before = clock.nowMs();
      await pass(5);
      expect(clock.nowMs()).toBeGreaterThanOrEqual(before + 5);
    });

    test("a timer runs once, not before its time, and not within the call that sets it", async () => {
      const { clock, pass } = setUp();
      const ran: number[] = [];
      const start = clock.nowMs();
      clock.after(0, () => ran.push(clock.nowMs() - start));
      clock.after(20, () => ran.push(clock.nowMs() - start));
      expect(ran).toEqual([]);
      await pass(60);
      expect(ran).toHaveLength(2);
      expect(ran[1]).toBeGreaterThanOrEqual(20);
    });

    test("timers run in the order of their times", async () => {
      const { clock, pass } = setUp();
      const ran: string[] = [];
      clock.after(40, () => ran.push("c"));
      clock.after(2, () => ran.push("a"));
      clock.after(20, () => ran.push("b"));
      await pass(80);
      expect(ran).toEqual(["a", "b", "c"]);
    });

    test("a cancelled timer does not run, whenever it is cancelled", async () => {
      const { clock, pass } = setUp();
      let ran = 0;
      const timer = clock.after(5, () => {
        ran += 1;
      });
      timer.cancel();
      timer.cancel();
      const late = clock.after(1, () => {});
      await pass(30);
      late.cancel();
      expect(ran).toBe(0);
    });

    test("a period goes on until it is cancelled, also from within", async () => {
      const { clock, pass } = setUp();
      let ran = 0;
      const timer = clock.every(5, () => {
        ran += 1;
        if (ran === 3) timer.cancel();
      });
      await pass(150);
      expect(ran).toBe(3);
    });

    test("a delay beyond what the runtime's timers hold does not run at once", async () => {
      const { clock, pass } = setUp();
      let ran = 0;
      const timers = [2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER].map((delay) =>
        clock.after(delay, () => {
          ran += 1;
        }),
      );
      await pass(20);
      for (const timer of timers) timer.cancel();
      expect(ran).toBe(0);
    });

    test("the end of the turn comes after the call, in order", async () => {
      const { clock, pass } = setUp();
      const ran: number[] = [];
      clock.endOfTurn(() => ran.push(1));
      clock.endOfTurn(() => {
        ran.push(2);
        clock.endOfTurn(() => ran.push(3));
      });
      expect(ran).toEqual([]);
      await pass(5);
      expect(ran).toEqual([1, 2, 3]);
    });
  });
}
