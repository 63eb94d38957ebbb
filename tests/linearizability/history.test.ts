import * as fc from "fast-check";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { goodHistory } from "./history-arbitrary.ts";
import { UNKNOWN, at, get, saw, set } from "./history-builder.ts";
import { formatHistory, parseHistory, readHistoryFile, writeHistoryFile } from "./history-file.ts";
import { measureHistory, missingStrength } from "./history-strength.ts";
import type { HistoryRecord } from "./history.ts";

describe("a stored history", () => {
  test("comes back as it was", () => {
    fc.assert(
      fc.property(goodHistory(20), (history) => {
        expect(parseHistory(formatHistory(history))).toEqual(history);
      }),
      { numRuns: 100 },
    );
  });

  test("survives a file", () => {
    const directory = mkdtempSync(join(tmpdir(), "quorate-history-"));
    try {
      const file = join(directory, "history.jsonl");
      const history: readonly HistoryRecord[] = [
        set([1, 0, 0], "a", UNKNOWN),
        { kind: "fault", name: "kill", atMs: 5 },
        { kind: "leader", node: "2", term: 3, atMs: 6 },
      ];
      writeHistoryFile(file, history);
      expect(readHistoryFile(file)).toEqual(history);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test("names the line that is none", () => {
    expect(() => parseHistory('{"kind":"fault","name":"x","atMs":1}\nnonsense')).toThrow("line 2");
    expect(() => parseHistory('{"kind":"other"}')).toThrow("line 1");
  });
});

describe("the strength of a history", () => {
  const history: readonly HistoryRecord[] = [
    set([1, 0, 10], "a", 1),
    set([2, 5, 15], "b", 2),
    get([3, 10, 20], saw("b", 2)),
    at("/other", set([1, 30, 50], "c", 1)),
    at("/other", set([2, 35, 0], "d", UNKNOWN)),
    { kind: "leader", node: "1", term: 1, atMs: 0 },
    { kind: "leader", node: "1", term: 1, atMs: 20 },
    { kind: "fault", name: "kill", atMs: 40 },
    { kind: "leader", node: "2", term: 2, atMs: 60 },
  ];

  test("counts what makes it worth checking", () => {
    expect(measureHistory(history)).toEqual({
      operations: 5,
      writes: 4,
      paths: 2,
      concurrencyMin: 2,
      unknown: 1,
      inDoubtResolved: 1,
      leaderChanges: 1,
    });
  });

  test("names the minimums it misses", () => {
    const strength = measureHistory(history);
    expect(missingStrength(strength, { writes: 4, leaderChanges: 1 })).toEqual([]);
    expect(missingStrength(strength, { writes: 5, leaderChanges: 2 })).toEqual([
      "writes: 4 of at least 5",
      "leaderChanges: 1 of at least 2",
    ]);
  });

  test("an empty history proves nothing", () => {
    expect(measureHistory([]).concurrencyMin).toBe(0);
  });
});
