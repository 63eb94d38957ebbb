import { expect, test } from "vitest";
import { logIndex } from "./ids.ts";
import { Inflights } from "./inflights.ts";

test("messages are freed from the oldest on", () => {
  const inflights = new Inflights(10, 1_000);
  inflights.add(logIndex(2), 2, 50);
  inflights.add(logIndex(5), 3, 70);
  expect([inflights.entries, inflights.bytes, inflights.messages]).toEqual([5, 120, 2]);
  inflights.freeThrough(logIndex(4));
  expect([inflights.entries, inflights.bytes]).toEqual([3, 70]);
  inflights.freeThrough(logIndex(9));
  expect([inflights.entries, inflights.bytes, inflights.messages]).toEqual([0, 0, 0]);
});

test("the window is full in entries or in bytes", () => {
  const inflights = new Inflights(4, 100);
  inflights.add(logIndex(3), 3, 10);
  expect([inflights.entriesLeft, inflights.bytesLeft]).toEqual([1, 90]);
  expect(() => inflights.add(logIndex(5), 2, 10)).toThrow("inflights_entries_bound");
  expect(() => inflights.add(logIndex(4), 1, 91)).toThrow("inflights_bytes_bound");
  inflights.add(logIndex(4), 1, 90);
  expect([inflights.entriesLeft, inflights.bytesLeft]).toEqual([0, 0]);
});

test("a single message may exceed the bytes when nothing else is on its way", () => {
  const inflights = new Inflights(4, 100);
  inflights.add(logIndex(1), 1, 500);
  expect([inflights.entriesLeft, inflights.bytesLeft]).toEqual([0, 0]);
});

test("the ring grows and turns without losing its order", () => {
  const inflights = new Inflights(10_000, 1_000_000);
  let freed = 0;
  for (let index = 1; index <= 500; index += 1) {
    inflights.add(logIndex(index), 1, 1);
    if (index % 3 !== 0) continue;
    freed += 1;
    inflights.freeThrough(logIndex(freed));
    expect(inflights.messages).toBe(index - freed);
  }
  inflights.clear();
  expect([inflights.messages, inflights.entries, inflights.bytes]).toEqual([0, 0, 0]);
});
