import { expect, test } from "vitest";
import { closeInOrder } from "./close-in-order.ts";
import { ManualClock } from "./memory/manual-clock.ts";

const never = (): Promise<void> => new Promise(() => undefined);

test("everything is closed in order, and what failed first is told", async () => {
  const closed: string[] = [];
  const step = (name: string, failure?: string) => async (): Promise<void> => {
    closed.push(name);
    if (failure !== undefined) throw new Error(failure);
  };
  const steps = [step("a"), () => undefined, step("b", "first"), step("c", "second"), step("d")];
  const failure = await closeInOrder(new ManualClock(), 1_000, steps);
  expect(closed).toEqual(["a", "b", "c", "d"]);
  expect(failure?.message).toBe("first");
});

test("what hangs is left behind once the time is over, and so is what hangs after it", async () => {
  const clock = new ManualClock();
  let closed = 0;
  const closing = closeInOrder(clock, 1_000, [
    never,
    never,
    async () => {
      closed += 1;
    },
  ]);
  for (const ms of [999, 1, 1]) {
    expect(closed).toBe(0);
    clock.advance(ms);
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  }
  expect(await closing).toMatchObject({ code: "STORAGE_FAILED" });
  expect(closed).toBe(1);
  expect(clock.nextDueMs()).toBeNull();
});
