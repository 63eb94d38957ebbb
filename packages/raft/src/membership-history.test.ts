import { expect, test } from "vitest";
import { logIndex, nodeId } from "./ids.ts";
import { MembershipHistory } from "./membership-history.ts";
import type { Membership } from "./membership.ts";

function of(...voters: readonly number[]): Membership {
  return { voters: voters.map(nodeId), outgoingVoters: [], learners: [], members: [] };
}

test("the newest is in force, and truncation brings the one before it back", () => {
  const history = new MembershipHistory(logIndex(0), of(1));
  history.push(logIndex(4), of(1, 2));
  history.push(logIndex(7), of(1, 2, 3));
  expect([history.current.voters, history.currentIndex]).toEqual([[1, 2, 3], 7]);
  expect(history.truncateFrom(logIndex(8))).toBe(false);
  expect(history.truncateFrom(logIndex(5))).toBe(true);
  expect([history.current.voters, history.currentIndex]).toEqual([[1, 2], 4]);
  expect(() => history.truncateFrom(logIndex(0))).toThrow("membership_history_keeps_base");
});

test("what is committed becomes the base", () => {
  const history = new MembershipHistory(logIndex(0), of(1));
  history.push(logIndex(4), of(1, 2));
  history.push(logIndex(7), of(2));
  expect(history.hasVoter(nodeId(1))).toBe(true);
  history.settle(logIndex(6));
  expect([history.countAfter(logIndex(6)), history.hasVoter(nodeId(1))]).toEqual([1, true]);
  history.settle(logIndex(7));
  expect([history.countAfter(logIndex(7)), history.hasVoter(nodeId(1))]).toEqual([0, false]);
});

test("a snapshot replaces everything, whatever was appended (openraft, issue 1808)", () => {
  const history = new MembershipHistory(logIndex(0), of(1));
  history.push(logIndex(40), of(1, 2));
  history.reset(logIndex(20), of(1, 3));
  expect([history.current.voters, history.currentIndex]).toEqual([[1, 3], 20]);
});

test("entries come in order", () => {
  const history = new MembershipHistory(logIndex(5), of(1));
  expect(() => history.push(logIndex(5), of(2))).toThrow("membership_history_rises");
});
