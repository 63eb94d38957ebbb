import { describe, expect, test } from "vitest";
import { membershipOf } from "../../../tests/support/members.ts";
import { nodeId } from "./ids.ts";
import {
  findMember,
  isLearner,
  isMember,
  isVoter,
  memberIds,
  stepTowards,
  validateChange,
  validateMembership,
  withoutOutgoing,
} from "./membership-rules.ts";
import type { Membership } from "./membership.ts";

describe("who is what", () => {
  const membership = membershipOf([3, 1], [4], [1, 2]);

  test.each([
    [1, true, false, true],
    [2, true, false, true],
    [3, true, false, true],
    [4, false, true, true],
    [5, false, false, false],
  ])("%i votes: %s, learns: %s, belongs: %s", (id, votes, learns, belongs) => {
    expect(isVoter(membership, nodeId(id))).toBe(votes);
    expect(isLearner(membership, nodeId(id))).toBe(learns);
    expect(isMember(membership, nodeId(id))).toBe(belongs);
  });

  test("ids come once and in order; members are found by id", () => {
    expect(memberIds(membership)).toEqual([1, 2, 3, 4]);
    expect(findMember(membership, nodeId(4))?.name).toBe("n4");
    expect(findMember(membership, nodeId(5))).toBeNull();
  });
});

describe("what a membership must be", () => {
  const sound = membershipOf([1, 2, 3], [4]);
  const first = sound.members[0]!;

  test("a sound one passes", () => {
    expect(validateMembership(sound)).toBeNull();
    expect(validateMembership(membershipOf([1, 2], [], [2, 3]))).toBeNull();
  });

  test.each<[string, Membership]>([
    ["no voters", { ...sound, voters: [] }],
    ["an id occurs twice", membershipOf([1, 1, 2])],
    ["a learner is a voter", membershipOf([1, 2], [2])],
    ["members and ids differ", { ...sound, members: sound.members.slice(1) }],
    ["members and ids differ", { ...sound, members: sound.members.toReversed() }],
    ["a name is empty", { ...sound, members: [{ ...first, name: "" }, ...sound.members.slice(1)] }],
    [
      "a name occurs twice",
      { ...sound, members: [{ ...first, name: "n2" }, ...sound.members.slice(1)] },
    ],
    ["more than 32 members", membershipOf(Array.from({ length: 33 }, (_, at) => at + 1))],
  ])("%s", (problem, membership) => {
    expect(validateMembership(membership)).toBe(problem);
  });
});

describe("one step from 1,2,3 with learner 4", () => {
  const current = membershipOf([1, 2, 3], [4]);

  test.each<[string, Membership, string | null]>([
    ["nothing", current, null],
    ["a voter more", membershipOf([1, 2, 3, 5], [4]), null],
    ["a voter less", membershipOf([1, 2], [4]), null],
    ["a promotion", membershipOf([1, 2, 3, 4]), null],
    ["a demotion", membershipOf([1, 2], [3, 4]), null],
    ["other learners", membershipOf([1, 2, 3], [5, 6]), null],
    ["a replacement", membershipOf([1, 2, 5], [4]), "more than one voter changes"],
    ["two voters more", membershipOf([1, 2, 3, 4, 5]), "more than one voter changes"],
    ["nobody left", { ...current, voters: [] }, "no voters"],
    ["a joint membership", membershipOf([1, 4, 5], [6], [1, 2, 3]), null],
    [
      "a joint membership that lets others go",
      membershipOf([1, 4, 5], [], [1, 2]),
      "other voters go than vote",
    ],
  ])("%s", (_what, next, problem) => {
    expect(validateChange(current, next)).toBe(problem);
  });
});

describe("one step from 4,5,6 while 1,2,3 go", () => {
  const joint = membershipOf([4, 5, 6], [7], [1, 2, 3]);

  test.each<[string, Membership, string | null]>([
    ["its own voters", membershipOf([4, 5, 6], [7]), null],
    ["back", membershipOf([1, 2, 3]), "a joint membership is left otherwise"],
    ["other voters", membershipOf([4, 5, 6, 7]), "a joint membership is left otherwise"],
    ["another joint one", joint, "a joint membership follows a joint one"],
  ])("%s", (_what, next, problem) => {
    expect(validateChange(joint, next)).toBe(problem);
  });
});

describe("the way from 1,2,3", () => {
  const current = membershipOf([1, 2, 3]);

  test("is one step where one voter changes", () => {
    const target = membershipOf([1, 2, 3, 4], [5]);
    expect(stepTowards(current, target)).toBe(target);
  });

  test("leads over a joint membership to any other voters", () => {
    const target = membershipOf([3, 4, 5], [6]);
    const joint = stepTowards(current, target);
    expect(joint).toEqual(membershipOf([3, 4, 5], [6], [1, 2, 3]));
    expect(validateChange(current, joint)).toBeNull();
    expect(withoutOutgoing(joint)).toEqual(target);
    expect(validateChange(joint, withoutOutgoing(joint))).toBeNull();
  });

  test("lets no voter become a learner on the way", () => {
    const target = membershipOf([3, 4, 5], [1]);
    expect(validateChange(current, stepTowards(current, target))).toBe("a learner is a voter");
  });
});
