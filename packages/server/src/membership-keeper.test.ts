import { nodeId, validateMembership, type Member, type Membership } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { MembershipKeeper, type MembershipView } from "./membership-keeper.ts";

const member = (name: string, id: number): Member => ({
  id: nodeId(id),
  name,
  peerAddress: `${name}:1`,
  clientAddress: `${name}:2`,
});

const members = [member("a", 1), member("b", 2), member("c", 3)];
const C2 = member("c", 9);

const whole: Membership = {
  voters: [nodeId(1), nodeId(2), nodeId(3)],
  outgoingVoters: [],
  learners: [],
  members,
};

const withLearner: Membership = {
  voters: [nodeId(1), nodeId(2)],
  outgoingVoters: [],
  learners: [C2.id],
  members: [member("a", 1), member("b", 2), C2],
};

function view(changes: Partial<MembershipView> = {}): MembershipView {
  return { membership: whole, commitIndex: 1000, changePending: false, progress: [], ...changes };
}

const speaking = (id: number, matchIndex = 0) => ({
  id: nodeId(id),
  matchIndex,
  recentlyActive: true,
});

function asked(): MembershipKeeper {
  const keeper = new MembershipKeeper();
  keeper.request(C2, nodeId(3));
  return keeper;
}

describe("the keeper of the membership", () => {
  test("does nothing of its own accord", () => {
    expect(new MembershipKeeper().next(view())).toBeNull();
  });

  test("replaces a lost identity by a learner, one voter at a time", () => {
    const next = asked().next(view())!;
    expect(next).toEqual(withLearner);
    expect(validateMembership(next)).toBeNull();
  });

  test("waits while another change is under way", () => {
    const keeper = asked();
    expect(keeper.next(view({ changePending: true }))).toBeNull();
    expect(keeper.next(view())).not.toBeNull();
  });

  test("keeps who still speaks under the old identity, and takes over once it has fallen silent", () => {
    const keeper = asked();
    expect(keeper.next(view({ progress: [speaking(3)] }))).toBeNull();
    expect(keeper.next(view({ progress: [{ ...speaking(3), recentlyActive: false }] }))).toEqual(
      withLearner,
    );
  });

  test("forgets a request once it is fulfilled, or once somebody else came back in between", () => {
    const keeper = asked();
    keeper.next(view());
    expect(keeper.next(view({ membership: withLearner }))).toBeNull();
    const third = {
      ...withLearner,
      members: [...withLearner.members.slice(0, 2), member("c", 12)],
    };
    const stale = asked();
    expect(stale.next(view({ membership: third }))).toBeNull();
    expect(stale.next(view())).toBeNull();
  });

  test("makes a learner a voter once it is close behind and heard of", () => {
    const keeper = new MembershipKeeper();
    const next = (progress: MembershipView["progress"]) =>
      keeper.next(view({ membership: withLearner, progress }));
    expect(next([])).toBeNull();
    expect(next([speaking(9, 799)])).toBeNull();
    expect(next([{ ...speaking(9, 1000), recentlyActive: false }])).toBeNull();
    const promoted = next([speaking(9, 800)])!;
    expect(promoted.voters).toEqual([1, 2, 9]);
    expect(promoted.learners).toEqual([]);
    expect(validateMembership(promoted)).toBeNull();
  });

  test("remembers a bounded number of requests, the last for each name", () => {
    const keeper = new MembershipKeeper();
    for (let at = 0; at < 16; at += 1) keeper.request(member(`x${at}`, 100 + at), null);
    keeper.request(C2, nodeId(3));
    expect(keeper.next(view())).toBeNull();
    const other = asked();
    other.request(member("c", 12), nodeId(3));
    expect(other.next(view())?.learners).toEqual([12]);
  });
});
