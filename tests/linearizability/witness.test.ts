import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { distinctHistory, goodHistory, tamperedHistory } from "./history-arbitrary.ts";
import { SAW_NOTHING, UNKNOWN, compareAndSet, get, remove, saw, set } from "./history-builder.ts";
import { linearize } from "./linearize.ts";
import { present } from "./register-model.ts";
import { findSessionDisorder } from "./session-order.ts";
import { checkWitness } from "./witness.ts";

const START = present("0", 0);
const initial = () => START;

describe("the witness check", () => {
  test("passes where the zxids are a valid order", () => {
    const operations = [
      set([1, 0, 50], "b", saw("b", 2, 12)),
      set([2, 0, 50], "a", saw("a", 1, 11)),
      get([3, 20, 30], saw("a", 1, 11)),
      get([3, 60, 70], saw("b", 2, 12)),
    ];
    expect(checkWitness(operations, initial)).toEqual({ kind: "ok", checked: 4 });
  });

  test.each([
    ["stale read", [set([1, 0, 10], "a", saw("a", 1, 11)), get([2, 11, 20], saw("0", 0, 1))]],
    [
      "read from the future",
      [get([2, 0, 10], saw("a", 1, 11)), set([1, 11, 20], "a", saw("a", 1, 11))],
    ],
    [
      "write behind",
      [set([1, 0, 10], "a", saw("a", 2, 12)), set([2, 11, 20], "b", saw("b", 1, 11))],
    ],
    ["shared zxid", [set([1, 0, 10], "a", saw("a", 1, 11)), set([2, 0, 10], "b", saw("b", 2, 11))]],
    ["wrong value", [set([1, 0, 10], "a", saw("a", 1, 11)), get([2, 0, 10], saw("x", 1, 11))]],
    [
      "skipped version",
      [set([1, 0, 10], "a", saw("a", 1, 11)), set([1, 11, 20], "b", saw("b", 3, 13))],
    ],
  ])("finds a %s", (_, operations) => {
    expect(checkWitness(operations, initial).kind).toBe("violation");
  });

  test("places an unknown write where only it explains what follows", () => {
    const seen = [set([1, 0, 0], "a", UNKNOWN), get([2, 10, 20], saw("a", 1, 11))];
    expect(checkWitness(seen, initial).kind).toBe("ok");
    const covered = [set([1, 0, 0], "a", UNKNOWN), set([2, 10, 20], "b", saw("b", 2, 12))];
    expect(checkWitness(covered, initial).kind).toBe("ok");
    const twice = [...covered, get([2, 30, 40], saw("a", 3, 13))];
    expect(checkWitness(twice, initial).kind).toBe("violation");
  });

  test("closes a gap with an unknown write that nothing else needs", () => {
    const needed = [
      set([1, 0, 0], "x", UNKNOWN),
      set([2, 5, 0], "y", UNKNOWN),
      set([3, 10, 20], "b", saw("b", 2, 12)),
      get([4, 30, 40], saw("x", 3, 13)),
    ];
    expect(checkWitness(needed, initial).kind).toBe("ok");
    const early = [
      set([1, 0, 0], "x", UNKNOWN),
      set([2, 25, 0], "y", UNKNOWN),
      set([3, 10, 50], "b", saw("b", 2, 12)),
      set([4, 10, 30], "c", saw("c", 4, 14)),
    ];
    expect(checkWitness(early, initial).kind).toBe("ok");
  });

  test("puts no unknown write before an answer that came before it began", () => {
    const late = [
      compareAndSet([1, 10, 10], 0, "a", 1),
      set([2, 40, 52], "b", saw("b", 3)),
      set([3, 50, 50], "c", saw("c", 4)),
      set([4, 51, 0], "x", UNKNOWN),
    ];
    expect(checkWitness(late, initial).kind).toBe("violation");
  });

  test("says nothing of a path whose answers name no zxid", () => {
    const operations = [remove([1, 0, 10]), get([1, 11, 20], SAW_NOTHING)];
    expect(checkWitness(operations, initial)).toEqual({ kind: "unknown", path: "/r" });
  });

  test("never blames what a right service answered", () => {
    fc.assert(
      fc.property(fc.oneof(goodHistory(30), distinctHistory(30)), (operations) => {
        expect(checkWitness(operations, initial).kind).not.toBe("violation");
      }),
      { numRuns: 1_000 },
    );
  });

  test("never passes what the search calls impossible", () => {
    fc.assert(
      fc.property(fc.oneof(goodHistory(20), tamperedHistory(20)), (operations) => {
        if (checkWitness(operations, initial).kind !== "ok") return;
        const constrained = operations.filter((record) => record.outcome.kind !== "fail");
        expect(linearize(constrained, START, 100_000).verdict).toBe("possible");
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("the order within a session", () => {
  test("holds for pipelined writes that take effect as issued", () => {
    const operations = [
      set([1, 0, 50], "a", saw("a", 1, 11)),
      set([1, 1, 50], "b", saw("b", 2, 12)),
      get([1, 2, 50], saw("b", 2, 12)),
    ];
    expect(findSessionDisorder(operations)).toBeNull();
  });

  test("is broken by a later write that took effect first", () => {
    const operations = [
      set([1, 0, 50], "a", saw("a", 2, 12)),
      set([1, 1, 50], "b", saw("b", 1, 11)),
    ];
    expect(findSessionDisorder(operations)).toContain("issued in this order");
  });

  test("is broken by a pipelined read that misses the write before it", () => {
    const operations = [set([1, 0, 50], "a", saw("a", 1, 11)), get([1, 1, 50], saw("0", 0, 1))];
    expect(findSessionDisorder(operations)).toContain("issued in this order");
  });
});

test("does not try the orders of unknown writes for ever", () => {
  const lost = Array.from({ length: 40 }, (_, at) =>
    set([at + 2, at, at + 1], `${at % 10}`, UNKNOWN),
  );
  const seen = Array.from({ length: 10 }, (_, at) =>
    get([1, 100 + at, 100 + at], saw(`${at}`, 2 * at + 2)),
  );
  const impossible = get([1, 200, 210], saw("never written", 30));
  expect(checkWitness([...lost, ...seen, impossible], initial)).toMatchObject({ kind: "unknown" });
});
