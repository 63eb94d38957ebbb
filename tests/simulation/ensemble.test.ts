import { describe, expect, test } from "vitest";
import { wrongInPlan } from "./ensemble/plan-check.ts";
import { drawProfile, type Fault } from "./ensemble/profile.ts";
import { simulate, type RunResult } from "./ensemble/simulation.ts";
import { PointCounts, WATCHED_PACKAGES } from "./point-counts.ts";

const SHORT_MS = 10_000;
const SEEDS = 40;
/** Of the rare situations that the code tells, so many these few runs have to be in. */
const POINTS_MIN = 100;

/** A run that is short enough for every change. */
function short(seed: number): Promise<RunResult> {
  return simulate({ ...drawProfile(seed), durationMs: SHORT_MS });
}

/** What is read where the run was written down as a plan. */
function writtenDown(seed: number, { happened }: RunResult): unknown {
  const plan = { breaks: "nothing", profile: drawProfile(seed), faults: happened };
  return JSON.parse(JSON.stringify(plan));
}

describe("whole ensembles with their clients, under faults", () => {
  test("every promise is kept, and everything works again once the faults end", async () => {
    const faults = new Set<Fault>();
    using points = new PointCounts(WATCHED_PACKAGES);
    let operations = 0;
    let increments = 0;
    let backups = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const result = await short(seed);
      for (const fault of result.faults.keys()) faults.add(fault);
      expect(wrongInPlan(writtenDown(seed, result))).toBeNull();
      operations += result.operations;
      increments += result.increments;
      backups += result.backups;
    }
    expect(faults.size).toBeGreaterThan(12);
    expect(operations).toBeGreaterThan(30 * SEEDS * (SHORT_MS / 1_000));
    expect(increments).toBeGreaterThan(100);
    expect(backups).toBeGreaterThanOrEqual(3 * SEEDS);
    expect(points.reached, points.lines("missing").join("\n")).toBeGreaterThan(POINTS_MIN);
  }, 170_000);

  test("a run from its plan is the run that was drawn", async () => {
    const profile = { ...drawProfile(7), durationMs: SHORT_MS, faultEveryMs: 500 };
    const drawn = await simulate(profile);
    expect(drawn.happened.length).toBeGreaterThan(2);
    const planned = await simulate(profile, null, drawn.happened);
    // Whoever draws looks once more after the end.
    expect({ ...planned, events: drawn.events }).toEqual(drawn);
  }, 60_000);

  test("equal seeds are equal runs", async () => {
    const [once, again] = [await short(2), await short(2)];
    expect(again).toEqual(once);
    expect((await short(3)).traceHash).not.toBe(once.traceHash);
  }, 60_000);
});
