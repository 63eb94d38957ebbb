import { logIndex, type ReadContext } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { ReadIndexes, type WaitingRead } from "./reads.ts";

function setUp(nonce = 7) {
  const asked: ReadContext[] = [];
  const reads = new ReadIndexes(nonce, { requestIndex: (context) => void asked.push(context) });
  const add = (): WaitingRead => {
    const read: WaitingRead = { index: null, run: null };
    reads.add(read);
    return read;
  };
  const answer = (at: number, index: number | null): boolean =>
    reads.onReadState({
      context: asked[at]!,
      index: index === null ? null : logIndex(index),
    });
  return { reads, asked, add, answer };
}

describe("linearizable reads", () => {
  test("share one request, and what comes meanwhile shares the next", () => {
    const { reads, asked, add, answer } = setUp();
    const early = [add(), add()];
    reads.flush();
    const late = add();
    reads.flush();
    expect(asked).toHaveLength(1);
    expect(answer(0, 5)).toBe(true);
    expect(early.map((read) => read.index)).toEqual([5, 5]);
    expect(late.index).toBeNull();
    reads.flush();
    answer(1, 9);
    expect(late.index).toBe(9);
    expect(reads.waitingCount).toBe(0);
  });

  test("are never served by an answer to another request", () => {
    const { reads, asked, add, answer } = setUp();
    const read = add();
    reads.flush();
    const { counter, nonce } = asked[0]!;
    reads.onReadState({ context: { nonce, counter: counter + 1 }, index: logIndex(3) });
    reads.onReadState({ context: { nonce: nonce + 1, counter }, index: logIndex(3) });
    expect(read.index).toBeNull();
    answer(0, 4);
    expect(read.index).toBe(4);
  });

  test("are asked for again under a new context after a refusal, not before the next tick", () => {
    const { reads, asked, add, answer } = setUp();
    const read = add();
    reads.flush();
    expect(answer(0, null)).toBe(false);
    reads.flush();
    expect(asked).toHaveLength(1);
    reads.retry();
    expect(asked).toHaveLength(2);
    reads.retry();
    expect(asked).toHaveLength(2);
    // The refused request was answered after all: too late.
    answer(0, 3);
    expect(read.index).toBeNull();
    answer(1, 8);
    expect(read.index).toBe(8);
  });

  test("keep who came later behind the request that is repeated", () => {
    const { reads, asked, add, answer } = setUp();
    add();
    reads.flush();
    const late = add();
    answer(0, null);
    reads.flush();
    reads.retry();
    answer(1, 6);
    expect(late.index).toBeNull();
    reads.flush();
    answer(2, 7);
    expect(late.index).toBe(7);
    expect(new Set(asked.map(({ counter }) => counter)).size).toBe(asked.length);
  });

  test("tell who wants to hear of it", () => {
    const { reads, answer } = setUp();
    const heard: number[] = [];
    reads.add({ index: null, run: (index) => heard.push(index) });
    reads.flush();
    answer(0, 12);
    expect(heard).toEqual([12]);
  });

  test("ask for nothing when nobody waits", () => {
    const { reads, asked } = setUp();
    reads.flush();
    reads.retry();
    expect(asked).toEqual([]);
  });
});
