import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PointCounts } from "./point-counts.ts";
import { Checker } from "./raft-core/checker.ts";
import { runSeed } from "./raft-core/run-seed.ts";
import { Violation } from "./violation.ts";

const RUNS = 160;

describe("cores alone, under faults", () => {
  test("every promise is kept, and everything comes to rest once the faults end", () => {
    const totals = { elections: 0, reads: 0, crashes: 0 };
    using points = new PointCounts(["raft"]);
    const property = fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), (seed) => {
      const result = runSeed(seed);
      totals.elections += result.elections;
      totals.reads += result.reads;
      totals.crashes += result.crashes;
    });
    fc.assert(property, { numRuns: RUNS, seed: 20_261, endOnFailure: true });
    expect(totals.elections).toBeGreaterThan(100);
    expect(totals.reads).toBeGreaterThan(100);
    expect(totals.crashes).toBeGreaterThan(100);
    expect(points.reached, points.lines("missing").join("\n")).toBeGreaterThan(40);
  });

  test("equal seeds are equal runs", () => {
    for (const seed of [5, 6, 7]) expect(runSeed(seed)).toEqual(runSeed(seed));
  });
});

describe("the checker", () => {
  test("sees two leaders of one term", () => {
    const checker = new Checker();
    const anything = () => "compacted" as const;
    checker.onLeader(1 as never, 3 as never, anything);
    expect(() => checker.onLeader(2 as never, 3 as never, anything)).toThrow(Violation);
  });

  test("sees a stale read", () => {
    expect(() => new Checker().onRead(1 as never, 4, 5)).toThrow("C1");
    expect(() => new Checker().onRead(1 as never, 5, 5)).not.toThrow();
  });

  test("sees a vote that changes and a term that falls", () => {
    const state = (term: number, votedFor: number | null) => ({ term, votedFor }) as never;
    const checker = new Checker();
    checker.onDurable(1 as never, state(1, null), state(2, 1));
    expect(() => checker.onDurable(1 as never, state(2, 1), state(2, 3))).toThrow("I7");
    expect(() => checker.onDurable(1 as never, state(2, 1), state(2, null))).toThrow("I7");
    expect(() => checker.onDurable(1 as never, state(2, 1), state(1, null))).toThrow("I7");
  });
});
