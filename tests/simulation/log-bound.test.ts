import { describe, expect, test } from "vitest";
import { LogBound, type LogLook } from "./ensemble/log-bound.ts";

function boundOf(...looks: readonly Partial<LogLook>[]): number | null {
  const bound = new LogBound();
  const usual = { images: "image-1", checkpoint: 0, isSending: false };
  for (const look of looks) bound.look({ ...usual, ...look });
  return bound.index;
}

function checkpoints(...numbers: readonly number[]): readonly Partial<LogLook>[] {
  return numbers.map((checkpoint) => ({ checkpoint }));
}

describe("up to where a log is of no use any more", () => {
  test("is where the checkpoint before the last three stood", () => {
    expect(boundOf(...checkpoints(10, 20, 30))).toBeNull();
    expect(boundOf(...checkpoints(10, 20, 20, 30, 40))).toBe(10);
    expect(boundOf(...checkpoints(10, 20, 30, 40, 50))).toBe(20);
  });

  test("is counted anew behind a snapshot, sent or received", () => {
    const [before, behind] = [checkpoints(10, 20, 30, 40), checkpoints(50, 60)];
    expect(boundOf(...before, { checkpoint: 45, isSending: true }, ...behind)).toBeNull();
    const received = [...behind, ...checkpoints(70)].map((look) => ({
      ...look,
      images: "image-2",
    }));
    expect(boundOf(...before, ...received)).toBeNull();
    expect(boundOf(...before, ...received, { images: "image-2", checkpoint: 80 })).toBe(50);
  });
});
