import fc from "fast-check";
import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { ManualClock } from "../../../tests/support/client/manual-clock.ts";
import { Cancellations, type CancellationTicket } from "./cancellations.ts";

describe("Cancellations", () => {
  test("options that limit nothing cost nothing", () => {
    const clock = new ManualClock();
    const cancellations = new Cancellations(clock);
    const onAbandoned = (): void => undefined;
    expect(cancellations.watch(onAbandoned, undefined)).toBeNull();
    expect(cancellations.watch(onAbandoned, {})).toBeNull();
    expect(clock.timerCount).toBe(0);
  });

  test("each is told at its time and once, unless released", async () => {
    const draws = fc.array(fc.record({ timeoutMs: fc.nat(50), releaseMs: fc.nat(60) }), {
      maxLength: 40,
      size: "max",
    });
    await fc.assert(
      fc.asyncProperty(draws, async (calls) => {
        const clock = new ManualClock();
        const cancellations = new Cancellations(clock);
        const told = new Map<number, number>();
        const tickets: (CancellationTicket | null)[] = calls.map(({ timeoutMs }, i) => {
          const onAbandoned = (): void => void told.set(i, clock.nowMs() - 1_000);
          return cancellations.watch(onAbandoned, { timeoutMs });
        });
        for (let now = 0; now <= 60; now += 1) {
          calls.forEach(({ releaseMs }, i) => {
            if (releaseMs === now) cancellations.release(tickets[i]!);
          });
          await clock.advance(1);
        }
        calls.forEach(({ timeoutMs, releaseMs }, i) => {
          const dueMs = Math.max(1, timeoutMs);
          expect(told.get(i)).toBe(dueMs <= releaseMs ? dueMs : undefined);
        });
        expect(clock.timerCount).toBe(0);
      }),
      { numRuns: 120 },
    );
  });

  test("releasing one call does not make another late", async () => {
    const clock = new ManualClock();
    const cancellations = new Cancellations(clock);
    const told: number[] = [];
    const tickets = [1, 10, 2, 11, 12, 3, 4].map((timeoutMs) => {
      return cancellations.watch(() => void told.push(timeoutMs), { timeoutMs });
    });
    // The last of the heap, due at 4, takes the place below the one due at 10.
    cancellations.release(tickets[3]!);
    await clock.advance(5);
    expect(told).toEqual([1, 2, 3, 4]);
    await clock.advance(10);
    expect(told).toEqual([1, 2, 3, 4, 10, 12]);
  });

  test("a signal is listened to only while the call waits", () => {
    const cancellations = new Cancellations(new ManualClock());
    const abort = new AbortController();
    const told: unknown[] = [];
    const onAbandoned = (code: string, cause: unknown): void => void told.push([code, cause]);
    const options = { signal: abort.signal, timeoutMs: 5 };
    cancellations.watch(onAbandoned, options);
    cancellations.release(cancellations.watch(onAbandoned, options));
    abort.abort("why");
    expect(told).toEqual([["ABORTED", "why"]]);
  });

  test("many calls with one signal are one listener, which the last one takes away", () => {
    const cancellations = new Cancellations(new ManualClock());
    const { signal, abort, listeners } = countedSignal();
    const told: number[] = [];
    const tickets = [1, 2, 3, 4].map((call) => {
      return cancellations.watch(() => void told.push(call), { signal });
    });
    expect(listeners()).toBe(1);
    cancellations.release(tickets[1]!);
    expect(listeners()).toBe(1);
    abort();
    expect(told).toEqual([1, 3, 4]);
    for (const ticket of tickets) cancellations.release(ticket);
    expect(listeners()).toBe(0);
    const again = countedSignal();
    const onAbandoned = (): void => undefined;
    cancellations.release(cancellations.watch(onAbandoned, { signal: again.signal }));
    expect(again.listeners()).toBe(0);
  });

  test("a call that another one's abandonment ends is not told any more", () => {
    const cancellations = new Cancellations(new ManualClock());
    const { signal, abort } = countedSignal();
    const told: number[] = [];
    let second: CancellationTicket | null = null;
    const onAbandoned = (): void => {
      told.push(1);
      cancellations.release(second);
    };
    cancellations.watch(onAbandoned, { signal });
    second = cancellations.watch(() => void told.push(2), { signal });
    abort();
    expect(told).toEqual([1]);
  });
});

/** A signal that knows how many listen to it. */
function countedSignal(): {
  readonly signal: AbortSignal;
  readonly abort: () => void;
  readonly listeners: () => number;
} {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    abort: () => controller.abort(),
    listeners: () => getEventListeners(controller.signal, "abort").length,
  };
}
