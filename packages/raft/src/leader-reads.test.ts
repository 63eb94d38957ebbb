import { expect, test } from "vitest";
import { logIndex, nodeId } from "./ids.ts";
import { LeaderReads, leaderReadsMax } from "./leader-reads.ts";

function request(counter: number) {
  return { from: nodeId(1), context: { nonce: 1, counter } };
}

test("a round answers what had gathered before it left, and nothing later", () => {
  const reads = new LeaderReads();
  reads.add(request(1));
  reads.add(request(2));
  reads.beginRound(5, logIndex(10));
  reads.add(request(3));
  expect(reads.takeConfirmed(4)).toBeNull();
  expect(reads.takeConfirmed(5)).toEqual({
    round: 5,
    index: 10,
    requests: [request(1), request(2)],
  });
  expect(reads.takeConfirmed(99)).toBeNull();
  expect([reads.count, reads.hasGathered]).toEqual([1, true]);
});

test("a later round confirms earlier ones", () => {
  const reads = new LeaderReads();
  reads.add(request(1));
  reads.beginRound(5, logIndex(10));
  reads.add(request(2));
  reads.beginRound(6, logIndex(11));
  expect(reads.takeConfirmed(6)?.round).toBe(5);
  expect(reads.takeConfirmed(6)?.round).toBe(6);
});

test("rounds rise", () => {
  const reads = new LeaderReads();
  reads.beginRound(5, logIndex(10));
  expect(() => reads.beginRound(5, logIndex(10))).toThrow("leader_reads_rounds_rise");
});

test("draining gives everything back once", () => {
  const reads = new LeaderReads();
  reads.add(request(1));
  reads.beginRound(5, logIndex(10));
  reads.add(request(2));
  expect(reads.drain()).toEqual([request(1), request(2)]);
  expect([reads.count, reads.drain()]).toEqual([0, []]);
});

test("there is a bound", () => {
  const reads = new LeaderReads();
  for (let counter = 0; counter < leaderReadsMax; counter += 1) reads.add(request(counter));
  expect(reads.add(request(leaderReadsMax))).toBe(false);
});
