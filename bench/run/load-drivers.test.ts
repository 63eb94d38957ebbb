import { expect, test } from "vitest";
import { boundProblem, countBound, othersNote } from "./load-drivers.ts";

test("a driver is bound from the given share of a core on", () => {
  expect(countBound([0.2, 0.9, 1.7, 0.89], 0.9)).toBe(2);
  expect(boundProblem(2, 4)).toEqual(["driver bound by CPU: 2 of 4 processes"]);
  expect(boundProblem(0, 4)).toEqual([]);
});

test("others that take a good part of a core are told of", () => {
  expect(othersNote({ cpuSeconds: 10, elapsedMs: 20_000 })).toEqual([
    "others used 50 % of a core while it measured",
  ]);
  expect(othersNote({ cpuSeconds: 2, elapsedMs: 20_000 })).toEqual([]);
});
