import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BAD_HISTORIES } from "./bad-histories.ts";
import { isLinearizableByBruteForce } from "./brute-force.ts";
import { checkHistory } from "./checker.ts";
import { goodHistory, tamperedHistory } from "./history-arbitrary.ts";
import { UNKNOWN, at, compareAndSet, create, failed, get, saw, set } from "./history-builder.ts";
import { linearize } from "./linearize.ts";
import { ABSENT, constrains, present } from "./register-model.ts";

const START = present("0", 0);
const BUDGET = 100_000;

describe("histories that no register explains", () => {
  test("at least forty are listed, each once", () => {
    expect(BAD_HISTORIES.length).toBeGreaterThanOrEqual(40);
    expect(new Set(BAD_HISTORIES.map((bad) => bad.anomaly)).size).toBe(BAD_HISTORIES.length);
  });

  test.each(BAD_HISTORIES)("$anomaly", ({ operations, startsAbsent }) => {
    const initial = startsAbsent === true ? ABSENT : START;
    const result = checkHistory(operations, { initial: () => initial });
    expect(result.kind).toBe("violation");
    expect(isLinearizableByBruteForce(operations, initial)).toBe(false);
  });
});

describe("histories that a register explains", () => {
  test("concurrent writes may take either order", () => {
    const operations = [
      set([1, 0, 50], "a", 2),
      set([2, 0, 50], "b", 1),
      get([3, 60, 70], saw("a", 2)),
    ];
    expect(checkHistory(operations, { initial: () => START }).kind).toBe("ok");
  });

  test("an unknown write may have happened", () => {
    const operations = [set([1, 0, 0], "a", UNKNOWN), get([2, 10, 20], saw("a", 1))];
    expect(checkHistory(operations, { initial: () => START }).kind).toBe("ok");
  });

  test("an unknown write may never happen, or late", () => {
    const late = [
      set([1, 0, 0], "a", UNKNOWN),
      get([2, 10, 20], saw("0", 0)),
      set([2, 21, 30], "b", 1),
      get([2, 31, 40], saw("a", 2)),
    ];
    expect(checkHistory(late, { initial: () => START }).kind).toBe("ok");
    expect(checkHistory(late.slice(0, 3), { initial: () => START }).kind).toBe("ok");
  });

  test("unknown writes may have happened in the opposite order of their calls", () => {
    const operations = [
      set([1, 0, 0], "a", UNKNOWN),
      set([2, 1, 0], "b", UNKNOWN),
      get([3, 10, 20], saw("a", 2)),
    ];
    expect(checkHistory(operations, { initial: () => START }).kind).toBe("ok");
  });

  test("an unknown compare-and-set happens only where its version stands", () => {
    const operations = [
      compareAndSet([1, 0, 0], 0, "a", UNKNOWN),
      set([2, 5, 10], "b", 1),
      get([2, 11, 20], saw("b", 1)),
    ];
    expect(checkHistory(operations, { initial: () => START }).kind).toBe("ok");
  });

  test("operations that touch at one instant count as concurrent", () => {
    const operations = [set([1, 0, 10], "a", 1), get([2, 10, 20], saw("0", 0))];
    expect(checkHistory(operations, { initial: () => START }).kind).toBe("ok");
  });

  test("a write refused before the log constrains nothing", () => {
    const operations = [set([1, 0, 10], "a", failed("OVERLOADED")), get([2, 11, 20], saw("0", 0))];
    expect(checkHistory(operations, { initial: () => START }).kind).toBe("ok");
  });

  test("paths are checked each for itself", () => {
    const operations = [
      at("/one", create([1, 0, 10], "a", 0)),
      at("/two", create([1, 11, 20], "b", 0)),
      at("/one", get([2, 21, 30], saw("a", 0))),
      at("/two", get([2, 31, 40], saw("a", 0))),
    ];
    expect(checkHistory(operations.slice(0, 3)).kind).toBe("ok");
    expect(checkHistory(operations)).toMatchObject({ kind: "violation", path: "/two" });
  });

  test("generated ones pass", () => {
    fc.assert(
      fc.property(goodHistory(60), (operations) => {
        expect(linearize(operations, START, BUDGET).verdict).toBe("possible");
      }),
      { numRuns: 500 },
    );
  });
});

describe("the search", () => {
  test("agrees with trying everything, on good and on tampered histories of up to seven operations", () => {
    let impossible = 0;
    fc.assert(
      fc.property(fc.oneof(goodHistory(7), tamperedHistory(7)), (operations) => {
        const expected = isLinearizableByBruteForce(operations.filter(constrains), START);
        if (!expected) impossible += 1;
        const verdict = linearize(operations, START, BUDGET).verdict;
        expect(verdict).toBe(expected ? "possible" : "impossible");
      }),
      { numRuns: 1_500 },
    );
    expect(impossible).toBeGreaterThan(100);
  });

  test("gives up at its budget instead of guessing", () => {
    const operations = Array.from({ length: 30 }, (_, client) =>
      set([client, 0, 1_000], `v${client}`, UNKNOWN),
    );
    const contradiction = get([99, 2_000, 2_010], saw("nobody wrote this", 15));
    const result = checkHistory([...operations, contradiction], {
      initial: () => START,
      stepBudget: 1_000,
    });
    expect(result).toMatchObject({ kind: "unknown", path: "/r" });
  });

  test("is not lost among many readers and refused writers at one time", () => {
    const operations = Array.from({ length: 3_000 }, (_, index) => {
      const version = Math.floor(index / 30);
      const span = [index % 50, version * 10 - 25, version * 10 + 25] as const;
      if (index % 30 === 0) return set(span, `v${version + 1}`, version + 1);
      if (index % 3 === 0) return compareAndSet(span, version + 9, "x", failed("BAD_VERSION"));
      return get(span, saw(version === 0 ? "0" : `v${version}`, version));
    });
    expect(linearize(operations, START, 100_000).verdict).toBe("possible");
    const impossible = [...operations, get([99, 5_000, 5_010], saw("v50", 50))];
    expect(linearize(impossible, START, 100_000).verdict).toBe("impossible");
  });

  test("takes a long history of many clients in its stride", () => {
    const operations = Array.from({ length: 4_000 }, (_, index) =>
      set([index % 40, index * 10 - 395, index * 10 + 5], `v${index}`, index + 1),
    );
    const search = linearize(operations, START, 3_000_000);
    expect(search.verdict).toBe("possible");
  });
});

describe("the explanation of a violation", () => {
  test("names the culprit and leaves out what has nothing to do with it", () => {
    const noise = Array.from({ length: 50 }, (_, index) =>
      get([9, index, index + 0.5], saw("0", 0)),
    );
    const write = set([1, 100, 110], "a", 1);
    const stale = get([2, 111, 120], saw("0", 0));
    const after = get([2, 130, 140], saw("a", 1));
    const result = checkHistory([...noise, write, stale, after], { initial: () => START });
    expect(result).toMatchObject({ kind: "violation", culprit: stale, window: [write, stale] });
    expect(result.kind === "violation" && result.explanation).toContain(
      '> [111.0, 120.0] client 2 get  -> ok, "0" version 0',
    );
  });

  test("is the earliest answer that contradicts", () => {
    const first = get([2, 11, 20], saw("x", 7));
    const second = get([2, 21, 30], saw("y", 8));
    const result = checkHistory([set([1, 0, 10], "a", 1), first, second], {
      initial: () => START,
    });
    expect(result).toMatchObject({ kind: "violation", culprit: first });
  });
});
