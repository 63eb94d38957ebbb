import { describe, expect, test } from "vitest";
import { BurstBook, type Call } from "./ensemble/burst-book.ts";

describe("the book of one session's bursts", () => {
  test("takes what the order of the calls explains", () => {
    const book = bookOf(4);
    const calls = [
      set(1, 1, 10),
      read(1, 1, 1, 10),
      read(1, 3, 2, 12),
      { isSet: true, set: 2, outcome: { kind: "unknown" } },
      set(3, 2, 12),
      { isSet: true, set: 4, outcome: { kind: "never" } },
      read(4, 3, 2, 12),
    ] as const satisfies readonly Call[];
    expect(book.findDisorder(calls)).toBeNull();
    expect(book.nextSet()).toBe(5);
    expect(book.findDisorder([set(5, 3, 20)])).toBeNull();
  });

  test.each<readonly [string, readonly Call[]]>([
    ["a read that misses the set before it", [set(1, 1, 10), read(1, 0, 0, 5)]],
    ["reads that go back", [read(0, 2, 2, 12), read(0, 1, 1, 10)]],
    ["a state that goes back", [read(0, 1, 1, 10), read(0, 1, 1, 9)]],
    ["a set that was lost", [set(1, 1, 10), set(2, 1, 11)]],
    ["a set that was done twice", [set(1, 1, 10), set(2, 3, 12)]],
    ["sets in another order", [set(1, 1, 12), set(2, 2, 11)]],
    ["a value of nobody", [read(0, 7, 7, 20)]],
    [
      "a set that was never made",
      [{ isSet: true, set: 1, outcome: { kind: "never" } }, read(1, 1, 1, 10)],
    ],
  ])("tells of %s", (_, calls) => {
    expect(bookOf(4).findDisorder(calls)).not.toBeNull();
  });
});

function bookOf(sets: number): BurstBook {
  const book = new BurstBook();
  for (let set = 0; set < sets; set += 1) book.nextSet();
  return book;
}

function set(number: number, version: number, zxid: number): Call {
  return { isSet: true, set: number, outcome: { kind: "ok", value: number, version, zxid } };
}

function read(after: number, value: number, version: number, zxid: number): Call {
  return { isSet: false, set: after, outcome: { kind: "ok", value, version, zxid } };
}
