import { describe, expect, test } from "vitest";
import { Scratch } from "./scratch.ts";

const KEPT = 1_000_000;

describe("Scratch", () => {
  test("gives the same buffer again as long as it is large enough, with what was in it", () => {
    const scratch = new Scratch(KEPT);
    const first = scratch.take(100_000);
    first[99_999] = 7;
    for (const bytes of [0, 1, 99_999, 100_000]) expect(scratch.take(bytes) === first).toBe(true);
    expect(first[99_999]).toBe(7);
  });

  test("gives whole buffers of the size that was asked for or more", () => {
    const scratch = new Scratch(KEPT);
    for (const bytes of [0, 1, 65_536, 65_537, 400_001, KEPT, KEPT + 1, 3 * KEPT, KEPT, 5]) {
      const buffer = scratch.take(bytes);
      expect(buffer.length).toBeGreaterThanOrEqual(bytes);
      expect(buffer.byteOffset).toBe(0);
      expect(buffer.buffer.byteLength).toBe(buffer.length);
    }
  });

  test("grows by doubling: sizes that rise slowly cost few buffers", () => {
    const scratch = new Scratch(KEPT);
    const buffers = new Set<Uint8Array>();
    for (let bytes = 1; bytes <= KEPT; bytes += 1_000) buffers.add(scratch.take(bytes));
    expect(buffers.size).toBeLessThanOrEqual(5);
  });

  test("by growing it goes beyond what is kept only as far as it must", () => {
    const scratch = new Scratch(KEPT);
    scratch.take(KEPT - 1);
    expect(scratch.take(KEPT).length).toBe(KEPT);
    expect(scratch.take(KEPT + 1).length).toBe(KEPT + 1);
  });

  test("a buffer beyond what is kept serves its like, and is given up by the first that needs less", () => {
    const scratch = new Scratch(KEPT);
    const large = scratch.take(3 * KEPT);
    expect(scratch.take(2 * KEPT) === large).toBe(true);
    const kept = scratch.take(KEPT);
    expect(kept.length).toBe(KEPT);
    expect(scratch.take(1) === kept).toBe(true);
  });
});
