import { decodeCommand, encodeCommand } from "@quorate/kv-store";
import { sessionId } from "@quorate/kv-store/protocol";
import { describe, expect, test } from "vitest";
import { ProposalIntake } from "./proposal-intake.ts";

const close = (id: number) => encodeCommand({ kind: "closeSession", session: sessionId(id) });
const SIZE = close(1).length;

const closed = (commands: readonly Uint8Array[]) =>
  commands.map((bytes) => {
    const { command } = decodeCommand(bytes);
    return command.kind === "closeSession" ? command.session : 0;
  });

const limits = {
  bytesMax: 10 * SIZE,
  countMax: 8,
  batchBytesMax: 3 * SIZE,
  batchCountMax: 2,
};

describe("the intake", () => {
  test("takes all of a list while there is room for any of it, by count and by bytes", () => {
    const intake = new ProposalIntake(limits);
    expect(intake.add([1, 2, 3, 4, 5, 6, 7].map(close))).toBe(true);
    expect(intake.add([close(8), close(9)])).toBe(true);
    expect(intake.add([close(10)])).toBe(false);
    expect(intake.count).toBe(9);
    const narrow = new ProposalIntake({ ...limits, bytesMax: 2 * SIZE });
    expect(narrow.add([1, 2, 3].map(close))).toBe(true);
    expect(narrow.add([close(4)])).toBe(false);
    expect(narrow.bytes).toBe(3 * SIZE);
    expect(narrow.add([])).toBe(true);
  });

  test("has room left for what is urgent when it takes nothing else, and not for any number", () => {
    const intake = new ProposalIntake({ ...limits, countMax: 32, bytesMax: 100 * SIZE });
    intake.add(Array.from({ length: 32 }, (_, at) => close(at + 1)));
    expect(intake.add([close(33)])).toBe(false);
    expect(intake.addUrgent([close(33)])).toBe(true);
    expect(intake.addUrgent([close(34)])).toBe(true);
    expect(intake.addUrgent([close(35)])).toBe(false);
  });

  test("stamps what it hands out, and keeps it until it was appended", () => {
    const intake = new ProposalIntake(limits);
    intake.add([1, 2, 3].map(close));
    expect(closed(intake.peek({ timeMs: 1, clockMs: 2 }))).toEqual([1, 2]);
    const again = intake.peek({ timeMs: 30, clockMs: 40 });
    expect(closed(again)).toEqual([1, 2]);
    expect(decodeCommand(again[0]!).stamp).toEqual({ timeMs: 30, clockMs: 40 });
    intake.drop(2);
    expect(closed(intake.peek({ timeMs: 1, clockMs: 2 }))).toEqual([3]);
    intake.drop(1);
    expect(intake.count).toBe(0);
    expect(intake.bytes).toBe(0);
    expect(intake.peek({ timeMs: 1, clockMs: 2 })).toEqual([]);
  });

  test("cuts batches by bytes, but hands out one command however large", () => {
    const intake = new ProposalIntake({ ...limits, batchBytesMax: SIZE - 1, batchCountMax: 8 });
    intake.add([1, 2].map(close));
    expect(closed(intake.peek({ timeMs: 1, clockMs: 2 }))).toEqual([1]);
  });

  test("keeps order over a long time and gives its room back", () => {
    const intake = new ProposalIntake({ ...limits, countMax: 20_000, bytesMax: 20_000 * SIZE });
    intake.add(Array.from({ length: 10_000 }, (_, at) => close(at + 1)));
    const seen: number[] = [];
    while (intake.count > 0) {
      const batch = intake.peek({ timeMs: 1, clockMs: 1 });
      seen.push(...closed(batch));
      intake.drop(batch.length);
    }
    expect(seen).toEqual(Array.from({ length: 10_000 }, (_, at) => at + 1));
    expect(intake.bytes).toBe(0);
  });

  test("forgets everything when the node leads no more", () => {
    const intake = new ProposalIntake(limits);
    intake.add([1, 2, 3].map(close));
    intake.clear();
    expect(intake.count).toBe(0);
    expect(intake.add([1, 2, 3, 4, 5, 6, 7, 8].map(close))).toBe(true);
  });
});
