import { describe, expect, test } from "vitest";
import { entryBytes } from "./entry-bytes.ts";
import type { Entry } from "./entry.ts";
import { logIndex, term } from "./ids.ts";
import { RaftLog } from "./log.ts";

function entryOf(index: number, entryTerm: number): Entry {
  return { kind: "noop", index: logIndex(index), term: term(entryTerm) };
}

function logOf(baseIndex: number, baseTerm: number, ...terms: readonly number[]): RaftLog {
  const entries = terms.map((value, at) => entryOf(baseIndex + at + 1, value));
  return new RaftLog(logIndex(baseIndex), term(baseTerm), entries);
}

const noopBytes = entryBytes(entryOf(1, 1));

describe("what the log holds", () => {
  test("an empty log ends at its base", () => {
    const log = logOf(5, 2);
    expect([log.firstIndex, log.lastIndex, log.lastTerm, log.persistedIndex]).toEqual([6, 5, 2, 5]);
    expect(log.memoryBytes).toBe(0);
  });

  test.each([
    [4, "compacted"],
    [5, 2],
    [6, 3],
    [7, 4],
  ])("the term at %i is %s", (index, expected) => {
    expect(logOf(5, 2, 3, 4).termAt(logIndex(index))).toBe(expected);
  });

  test("the term past the end is nobody's to ask", () => {
    expect(() => logOf(5, 2, 3).termAt(logIndex(7))).toThrow("log_term_within_log");
  });

  test.each([
    [4, 2, false],
    [5, 2, true],
    [6, 3, true],
    [6, 2, false],
    [7, 3, false],
  ])("entry %i of term %i is there: %s", (index, entryTerm, expected) => {
    expect(logOf(5, 2, 3).matches(logIndex(index), term(entryTerm))).toBe(expected);
  });

  test.each([
    [7, 3, true],
    [8, 3, true],
    [6, 3, false],
    [1, 4, true],
    [9, 2, false],
  ])("a log that ends in %i of term %i is up to date: %s", (index, entryTerm, expected) => {
    expect(logOf(5, 2, 3, 3).isUpToDate(logIndex(index), term(entryTerm))).toBe(expected);
  });

  test.each([
    [10, 9, 10],
    [10, 4, 9],
    [10, 3, 7],
    [10, 2, 5],
    [8, 3, 7],
    [7, 3, 7],
    [4, 1, 4],
    [5, 1, 5],
  ])("at or below %i, the last index with term at most %i is %i", (index, termMax, expected) => {
    const log = logOf(5, 2, 3, 3, 4, 4, 6);
    expect(log.lastWithTermAtMost(logIndex(index), term(termMax))).toBe(expected);
  });

  test.each([
    [1, 6],
    [noopBytes, 6],
    [2 * noopBytes, 7],
    [2 * noopBytes + 1, 7],
    [99 * noopBytes, 9],
  ])("%i bytes from 6 on reach to %i", (bytesMax, expected) => {
    expect(logOf(5, 2, 3, 3, 3, 3).lastWithin(logIndex(6), logIndex(9), bytesMax)).toBe(expected);
  });
});

describe("appending and truncating", () => {
  test("a gap and a falling term are refused", () => {
    const log = logOf(5, 2, 3);
    expect(() => log.append(entryOf(8, 3))).toThrow("log_append_contiguous");
    expect(() => log.append(entryOf(7, 2))).toThrow("log_append_terms_rise");
  });

  test("truncation drops entries, bytes and durability", () => {
    const log = logOf(0, 0, 1, 1, 1);
    log.truncateFrom(logIndex(2));
    expect([log.lastIndex, log.persistedIndex, log.memoryBytes]).toEqual([1, 1, noopBytes]);
    log.append(entryOf(2, 4));
    expect(log.slice(logIndex(1), logIndex(2)).map((entry) => entry.term)).toEqual([1, 4]);
    expect(log.unpersistedFrom).toBe(2);
  });

  test("the base cannot be truncated", () => {
    expect(() => logOf(5, 2, 3).truncateFrom(logIndex(5))).toThrow("log_truncate_in_memory");
  });
});

describe("durability", () => {
  test("a write vouches for what was there when it began", () => {
    const log = logOf(0, 0);
    log.append(entryOf(1, 1));
    log.beginPersist(log.lastIndex);
    log.append(entryOf(2, 1));
    expect(log.persistedIndex).toBe(0);
    log.endPersist();
    expect(log.persistedIndex).toBe(1);
  });

  test("a write vouches for no more than was put into it", () => {
    const log = logOf(0, 0);
    for (const index of [1, 2, 3]) log.append(entryOf(index, 1));
    log.beginPersist(logIndex(2));
    log.endPersist();
    expect([log.persistedIndex, log.unpersistedFrom]).toEqual([2, 3]);
    expect(() => log.beginPersist(logIndex(4))).toThrow("log_write_within_log");
  });

  test("a write never vouches for what took the place of its entries (append ABA)", () => {
    const log = logOf(0, 0, 1);
    log.append(entryOf(2, 1));
    log.append(entryOf(3, 1));
    log.beginPersist(log.lastIndex);
    log.truncateFrom(logIndex(2));
    log.append(entryOf(2, 2));
    log.append(entryOf(3, 2));
    log.endPersist();
    expect(log.persistedIndex).toBe(1);
    expect(log.unpersistedFrom).toBe(2);
  });

  test("a write that began before a reset vouches for nothing", () => {
    const log = logOf(0, 0, 1, 1);
    log.append(entryOf(3, 1));
    log.beginPersist(log.lastIndex);
    log.reset(logIndex(9), term(4));
    expect([log.persistedIndex, log.unpersistedFrom, log.lastIndex]).toEqual([0, 10, 9]);
    log.endPersist();
    expect(log.persistedIndex).toBe(0);
    log.beginPersist(log.lastIndex);
    log.endPersist();
    expect(log.persistedIndex).toBe(9);
  });

  test("two writes at once are refused", () => {
    const log = logOf(0, 0, 1);
    log.beginPersist(log.lastIndex);
    expect(() => log.beginPersist(log.lastIndex)).toThrow("log_one_write_at_a_time");
  });
});

describe("the bound on memory", () => {
  test("the oldest entries go, as far as the limit allows", () => {
    const log = logOf(0, 0, 1, 1, 2, 2, 2);
    log.trim(logIndex(2), noopBytes);
    expect([log.baseIndex, log.baseTerm, log.memoryBytes]).toEqual([2, 1, 3 * noopBytes]);
    log.trim(logIndex(5), 2 * noopBytes);
    expect([log.firstIndex, log.lastIndex, log.memoryBytes]).toEqual([4, 5, 2 * noopBytes]);
    expect(log.termAt(logIndex(3))).toBe(2);
    expect(log.termAt(logIndex(2))).toBe("compacted");
  });

  test("entries that are not durable stay", () => {
    const log = logOf(0, 0, 1);
    log.append(entryOf(2, 1));
    expect(() => log.trim(logIndex(2), 0)).toThrow("log_drop_persisted");
  });

  test("a long life leaves indexes, terms and bytes right", () => {
    const log = logOf(0, 0);
    for (let index = 1; index <= 10_000; index += 1) {
      log.append(entryOf(index, 1 + Math.floor(index / 1_000)));
      if (index % 7 !== 0) continue;
      log.beginPersist(log.lastIndex);
      log.endPersist();
      log.trim(logIndex(index), 50 * noopBytes);
      expect(log.memoryBytes).toBeLessThanOrEqual(50 * noopBytes);
    }
    expect(log.lastIndex).toBe(10_000);
    const held = log.slice(log.firstIndex, log.lastIndex);
    expect(held[0]?.index).toBe(log.firstIndex);
    expect(log.memoryBytes).toBe(held.length * noopBytes);
    expect(log.bytesBetween(log.baseIndex, log.lastIndex)).toBe(log.memoryBytes);
    expect(log.termAt(logIndex(9_999))).toBe(10);
  });
});
