import { describe, expect, test } from "vitest";
import { AsyncQueue } from "./async-queue.ts";

const LIMITS = { countMax: 3, bytesMax: 10 };

describe("AsyncQueue", () => {
  test("hands out in order, to those who wait first", async () => {
    const queue = new AsyncQueue<number>(LIMITS);
    const waiting = [queue.next(), queue.next()];
    for (const value of [1, 2, 3]) expect(queue.push(value, 1)).toBe(true);
    const results = await Promise.all([...waiting, queue.next()]);
    expect(results.map(({ value }) => value)).toEqual([1, 2, 3]);
  });

  test("is bounded in count and in bytes", async () => {
    const queue = new AsyncQueue<number>(LIMITS);
    expect([1, 2, 3, 4].map((value) => queue.push(value, 1))).toEqual([true, true, true, false]);
    queue.clear();
    expect([1, 2].map((value) => queue.push(value, 6))).toEqual([true, false]);
    await queue.next();
    expect(queue.push(2, 10)).toBe(true);
  });

  test("long queues keep their order", async () => {
    const queue = new AsyncQueue<number>({ countMax: 2_000, bytesMax: 2_000 });
    for (let i = 0; i < 1_500; i += 1) queue.push(i, 1);
    for (let i = 0; i < 1_000; i += 1) expect((await queue.next()).value).toBe(i);
    for (let i = 1_500; i < 2_500; i += 1) expect(queue.push(i, 1)).toBe(true);
    for (let i = 1_000; i < 2_500; i += 1) expect((await queue.next()).value).toBe(i);
  });

  test("ends after what waits; an error is thrown once", async () => {
    const queue = new AsyncQueue<number>(LIMITS);
    queue.push(1, 1);
    queue.end(new Error("over"));
    queue.end();
    expect(queue.push(2, 1)).toBe(true);
    expect(await queue.next()).toEqual({ done: false, value: 1 });
    await expect(queue.next()).rejects.toThrow("over");
    expect(await queue.next()).toEqual({ done: true, value: undefined });
    const other = new AsyncQueue<number>(LIMITS);
    const waiting = [other.next(), other.next()];
    other.end();
    for (const next of waiting) expect(await next).toEqual({ done: true, value: undefined });
    expect(other.isEnded).toBe(true);
  });
});
