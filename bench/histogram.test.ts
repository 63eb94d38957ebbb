import { expect, test } from "vitest";
import { Histogram } from "./histogram.ts";

test("a percentile is off by at most 1.6 %", () => {
  for (const latencyMs of [0.004, 0.127, 0.128, 0.5, 1.234, 17.7, 999, 30_000]) {
    const histogram = new Histogram();
    histogram.addMs(latencyMs);
    const found = histogram.percentileMs(0.5);
    expect(Math.abs(found - latencyMs)).toBeLessThanOrEqual(Math.max(0.001, latencyMs * 0.016));
  }
});

test("percentiles are ranks over everything that was added, by whichever process", () => {
  const first = new Histogram();
  const second = new Histogram();
  for (let at = 1; at <= 99; at += 1) first.addMs(1);
  second.addMs(100);
  first.addBuckets(second.buckets());
  expect(first.total).toBe(100);
  expect(first.percentileMs(0.99)).toBeCloseTo(1, 1);
  expect(first.percentileMs(0.999)).toBeGreaterThan(98);
});

test("without anything there is no percentile", () => {
  expect(new Histogram().percentileMs(0.5)).toBeNaN();
});

test("what is longer than the last bucket counts in it", () => {
  const histogram = new Histogram();
  histogram.addMs(1e12);
  expect(histogram.total).toBe(1);
  expect(histogram.percentileMs(1)).toBeGreaterThan(60_000);
});
