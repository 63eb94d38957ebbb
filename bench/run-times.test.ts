import { expect, test } from "vitest";
import { fakeSystem } from "./fake/fake-system.ts";
import type { PlannedRun } from "./run-rounds.ts";
import { formatDuration, RunTimes } from "./run-times.ts";
import { WORKLOADS } from "./workloads.ts";

const SETTINGS = { warmUpMs: 5_000, measureMs: 20_000, repetitionsMax: 10 };

function planned(id: string, system: string): PlannedRun {
  const workload = WORKLOADS.find((each) => each.id === id);
  if (workload === undefined) throw new Error(`no workload ${id}`);
  return { workload, round: 1, system: fakeSystem(system) };
}

test("runs take as long as before on the same system, else as on others", () => {
  const times = new RunTimes(SETTINGS);
  times.note({ workload: "set-1x1", system: "a", elapsedMs: 10_000 });
  times.note({ workload: "set-1x1", system: "a", elapsedMs: 20_000 });
  times.note({ workload: "set-1x1", system: "b", elapsedMs: 60_000 });
  expect(times.expect([planned("set-1x1", "a")])).toBe(15_000);
  expect(times.expect([planned("set-1x1", "a"), planned("set-1x1", "c")])).toBe(45_000);
});

test("what was never made is guessed, and longer than what it measures", () => {
  const times = new RunTimes(SETTINGS);
  expect(times.expect([planned("set-1x1", "a")])).toBeGreaterThan(25_000);
  expect(times.expect([planned("gap-1m", "a")])).toBeGreaterThan(120_000);
  for (const { id } of WORKLOADS) expect(times.expect([planned(id, "a")])).toBeGreaterThan(0);
});

test.each([
  [50_400, "50 s"],
  [12 * 60_000, "12 min"],
  [200 * 60_000, "3 h 20 min"],
])("%d ms are %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});
