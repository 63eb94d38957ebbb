import { expect, onTestFinished, test, vi } from "vitest";
import { systemClock } from "./system-ports.ts";

test("the clock goes on while the machine is suspended, where performance.now() stands still", () => {
  let steadyMs = performance.now();
  let wallMs = Date.now();
  const spies = [
    vi.spyOn(performance, "now").mockImplementation(() => steadyMs),
    vi.spyOn(Date, "now").mockImplementation(() => wallMs),
  ];
  onTestFinished(() => {
    for (const spy of spies) spy.mockRestore();
  });
  const clock = systemClock();
  const before = clock.nowMs();
  steadyMs += 50;
  wallMs += 60_050;
  expect(clock.nowMs() - before).toBeCloseTo(60_050, 0);
});
