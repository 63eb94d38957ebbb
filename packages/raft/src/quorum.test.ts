import { describe, expect, test } from "vitest";
import { nodeId, type NodeId } from "./ids.ts";
import type { Membership } from "./membership.ts";
import { majority, quorumValue, voteOutcome } from "./quorum.ts";

function membershipOf(voters: readonly number[], outgoing: readonly number[] = []): Membership {
  return {
    voters: voters.map(nodeId),
    outgoingVoters: outgoing.map(nodeId),
    learners: [],
    members: [],
  };
}

function mapOf<Value>(values: Readonly<Record<number, Value>>): ReadonlyMap<NodeId, Value> {
  return new Map(Object.entries(values).map(([id, value]) => [nodeId(Number(id)), value]));
}

test.each([
  [1, 1],
  [2, 2],
  [3, 2],
  [4, 3],
  [5, 3],
  [6, 4],
  [7, 4],
])("a majority of %i is %i", (count, expected) => {
  expect(majority(count)).toBe(expected);
});

describe("the value of a quorum", () => {
  test.each([
    [[1], [], { 1: 7 }, 7],
    [[1, 2], [], { 1: 7, 2: 5 }, 5],
    [[1, 2, 3], [], { 1: 7, 2: 5, 3: 9 }, 7],
    [[1, 2, 3], [], { 1: 7 }, 0],
    [[1, 2, 3, 4], [], { 1: 9, 2: 8, 3: 7, 4: 6 }, 7],
    [[1, 2, 3], [], { 1: 7, 2: 5, 9: 99 }, 5],
    [[1, 2, 3], [3, 4, 5], { 1: 9, 2: 9, 3: 4, 4: 3, 5: 2 }, 3],
    [[1], [2], { 1: 9, 2: 4 }, 4],
  ])("voters %j, outgoing %j, %j: %i", (voters, outgoing, values, expected) => {
    const peers = mapOf<number>(values);
    expect(quorumValue(membershipOf(voters, outgoing), peers, (value) => value)).toBe(expected);
  });
});

describe("the outcome of votes", () => {
  test.each([
    [[1, 2, 3], [], { 1: true }, "pending"],
    [[1, 2, 3], [], { 1: true, 2: true }, "won"],
    [[1, 2, 3], [], { 1: true, 2: false, 3: false }, "lost"],
    [[1, 2, 3, 4], [], { 1: true, 2: true }, "pending"],
    [[1, 2, 3, 4], [], { 1: true, 2: false, 3: false }, "lost"],
    [[1, 2, 3], [], { 1: true, 8: true, 9: true }, "pending"],
    [[1, 2, 3], [3, 4, 5], { 1: true, 2: true }, "pending"],
    [[1, 2, 3], [3, 4, 5], { 1: true, 3: true, 4: true }, "won"],
    [[1, 2, 3], [3, 4, 5], { 1: true, 2: true, 4: false, 5: false }, "lost"],
  ])("voters %j, outgoing %j, %j: %s", (voters, outgoing, votes, expected) => {
    expect(voteOutcome(membershipOf(voters, outgoing), mapOf<boolean>(votes))).toBe(expected);
  });
});
