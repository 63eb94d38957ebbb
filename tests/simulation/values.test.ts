import { describe, expect, test } from "vitest";
import { drawProfile } from "./ensemble/profile.ts";
import { Values } from "./ensemble/values.ts";

const NAMES = Array.from({ length: 300 }, (_, at) => `3.${at}`);

function valuesOf(valueBytes: number): Values {
  return new Values({ ...drawProfile(1), valueBytes });
}

describe("values of registers", () => {
  test("are of all sizes, and known by their names", () => {
    const values = valuesOf(60_000);
    const sizes = NAMES.map((name) => values.bytesOf(name).length);
    expect(NAMES.map((name) => values.nameOf(values.bytesOf(name).slice()))).toEqual(NAMES);
    const count = (least: number, most: number): number =>
      sizes.filter((size) => size >= least && size <= most).length;
    expect(count(1, 8)).toBeGreaterThan(50);
    expect(count(65, 512)).toBeGreaterThan(30);
    expect(count(1_000, 5_000)).toBeGreaterThan(10);
    expect(count(20_000, 60_100)).toBeGreaterThan(2);
    expect(valuesOf(60_000).bytesOf("3.7")).toEqual(values.bytesOf("3.7"));
  });

  test("hold sectors of zeros as well", () => {
    const values = valuesOf(60_000);
    const largest = NAMES.map((name) => values.bytesOf(name)).sort((a, b) => b.length - a.length);
    expect(Buffer.from(largest[0] ?? []).includes(Buffer.alloc(1_024))).toBe(true);
  });

  test("are names alone where they are to be small, and bounded where not", () => {
    expect(valuesOf(0).bytesOf("3.7")).toEqual(new TextEncoder().encode("3.7"));
    expect(Math.max(...NAMES.map((name) => valuesOf(512).bytesOf(name).length))).toBeLessThan(530);
  });

  test("of which a byte is another one, or missing, break a promise", () => {
    const values = valuesOf(60_000);
    const name = NAMES.find((each) => values.bytesOf(each).length > 100) ?? "";
    const wrong = values.bytesOf(name).slice();
    wrong[50] = (wrong[50] ?? 0) ^ 1;
    expect(() => values.nameOf(wrong)).toThrow(/another byte at 50/);
    expect(() => values.nameOf(values.bytesOf(name).slice(0, -1))).toThrow(/C1 content/);
    expect(() => values.nameOf(Uint8Array.of(...values.bytesOf(name), 0))).toThrow(
      /more than that/,
    );
  });
});
