import { describe, expect, test } from "vitest";
import type { FileOperation, FileStep } from "../../packages/server/src/memory/memory-files.ts";
import { SeededRandom } from "../../packages/server/src/memory/seeded-random.ts";
import { DiskPace } from "./ensemble/disk-pace.ts";
import { ProcessClock } from "./ensemble/process-clock.ts";
import { drawProfile } from "./ensemble/profile.ts";
import { VirtualTime } from "./ensemble/virtual-time.ts";

const clock = new ProcessClock(new VirtualTime(), { rate: 1, startMs: 0 });

function paceOf(readMs: number): DiskPace {
  const profile = { ...drawProfile(1), diskMeanMs: 1, readMs };
  return new DiskPace(profile, new SeededRandom(1), new SeededRandom(2));
}

/** Both steps of one of each. */
function stepsOf(...operations: readonly FileOperation[]): readonly FileStep[] {
  return operations.flatMap((operation) =>
    (["before", "during"] as const).map((phase) => ({ operation, path: "/data/x", phase })),
  );
}

describe("the steps of a disk", () => {
  test("of writes and syncs take time, and of others in some runs only", () => {
    const waits = (pace: DiskPace, operation: FileOperation): number =>
      Array.from({ length: 50 }, () => stepsOf(operation))
        .flat()
        .filter((step) => pace.onStep(clock, step) !== null).length;
    for (const readMs of [0, 0.2]) expect(waits(paceOf(readMs), "write")).toBe(50);
    expect(waits(paceOf(0), "read")).toBe(0);
    const reads = waits(paceOf(0.2), "read");
    expect([reads > 25, reads < 75]).toEqual([true, true]);
  });

  test("are counted until the one comes at which something is to happen, once", () => {
    const pace = paceOf(0);
    let sprung = 0;
    const spring = (): boolean => {
      sprung += 1;
      return true;
    };
    const isSet = pace.set({ operation: "rename", nth: 2, isBefore: false }, spring);
    expect([isSet, pace.set({ operation: "any", nth: 1, isBefore: true }, spring)]).toEqual([
      true,
      false,
    ]);
    const counts = stepsOf("rename", "write", "remove", "rename", "rename").map((step) => {
      void pace.onStep(clock, step);
      return sprung;
    });
    expect(counts).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
  });

  test("go on once nothing is to happen any more", () => {
    const pace = paceOf(0);
    pace.set({ operation: "any", nth: 1, isBefore: true }, () => {
      throw new Error("it happened");
    });
    pace.clear();
    for (const step of stepsOf("list", "open")) expect(pace.onStep(clock, step)).toBeNull();
  });
});
