import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SortedNames } from "./sorted-names.ts";

describe("SortedNames", () => {
  it("is a sorted set", () => {
    const name = fc.integer({ min: 0, max: 40 }).map(String);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), name)), name, (steps, after) => {
        const names = new SortedNames();
        const twin = new Set<string>();
        for (const [isAdded, step] of steps) {
          expect(isAdded ? names.add(step) : names.delete(step)).toBe(
            isAdded ? !twin.has(step) : twin.has(step),
          );
          if (isAdded) twin.add(step);
          else twin.delete(step);
        }
        const sorted = [...twin].sort();
        expect([...names]).toEqual(sorted);
        expect(names.size).toBe(twin.size);
        expect(names.first).toBe(sorted[0]);
        const later = sorted.filter((one) => one > after);
        expect(names.page(after, 3)).toEqual({
          names: later.slice(0, 3),
          more: later.length > 3,
        });
        expect(names.find((one) => compare(one, after))).toBe(twin.has(after) ? after : undefined);
      }),
    );
  });

  const count = 5000;
  it.each([
    ["ascending", (i: number) => i],
    ["descending", (i: number) => count - 1 - i],
    ["shuffled", (i: number) => (i * 7919) % count],
  ])("holds thousands of %s names over many chunks", (_order, at) => {
    const names = new SortedNames();
    const key = (i: number) => String(i).padStart(6, "0");
    for (let i = 0; i < count; i += 1) names.add(key(at(i)));
    expect([...names]).toEqual(Array.from({ length: count }, (_, i) => key(i)));
    for (let i = 0; i < count; i += 97) {
      expect(names.find((one) => compare(one, key(i)))).toBe(key(i));
      expect(names.page(key(i), 700).names).toEqual(
        Array.from({ length: Math.min(700, count - 1 - i) }, (_, k) => key(i + 1 + k)),
      );
    }
    for (let i = 0; i < count; i += 1) expect(names.delete(key(at(i)))).toBe(true);
    expect(names.size).toBe(0);
    expect(names.first).toBeUndefined();
    expect(names.page(null, 5)).toEqual({ names: [], more: false });
  });
});

function compare(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}
