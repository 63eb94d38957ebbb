import { expect, it } from "vitest";
import { ByteSlab } from "./byte-slab.ts";

it("copies values of every size, and pins at most a slab with any of them", () => {
  const slab = new ByteSlab();
  const frame = new Uint8Array(100_000);
  const copies = [0, 1, 64, 65, 500, 512, 513, 4096, 20_000, 100, 100].map((length, i) => {
    const part = frame.subarray(i, i + length).fill(i + 1);
    return { length, fill: i + 1, copy: slab.copy(part) };
  });
  frame.fill(0);
  for (const { length, fill, copy } of copies) {
    expect(copy).toEqual(new Uint8Array(length).fill(fill));
    expect(copy.buffer.byteLength).toBeLessThanOrEqual(Math.max(length, 4096));
  }
});
