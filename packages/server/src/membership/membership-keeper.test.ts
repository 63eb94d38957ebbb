import {
  logIndex,
  nodeId,
  term,
  validateMembership,
  type Member,
  type Membership,
  type Promotion,
} from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { member } from "../../../../tests/support/members.ts";
import { INVITED_MS } from "./invitations.ts";
import { MembershipKeeper, type MembershipView } from "./membership-keeper.ts";

const members = [member("a", 1), member("b", 2), member("c", 3)];
const C2 = member("c", 9);

const whole: Membership = {
  voters: [nodeId(1), nodeId(2), nodeId(3)],
  outgoingVoters: [],
  learners: [],
  members,
};

const learner = (standing: Promotion): Membership => ({
  voters: [nodeId(1), nodeId(2)],
  outgoingVoters: [],
  learners: [C2.id],
  members: [member("a", 1), member("b", 2), { ...C2, promotion: standing }],
});
const withLearner = learner({ kind: "voter" });

function view(changes: Partial<MembershipView> = {}): MembershipView {
  return {
    self: nodeId(1),
    term: term(4),
    membership: whole,
    commitIndex: 1000,
    changePending: false,
    peers: [speaking(2, 1000)],
    nowMs: 0,
    ...changes,
  };
}

const speaking = (id: number, matchIndex = 0) => ({
  id: nodeId(id),
  matchIndex: logIndex(matchIndex),
  recentlyActive: true,
});
const silent = (id: number, matchIndex = 0) => ({
  ...speaking(id, matchIndex),
  recentlyActive: false,
});

function asked(): MembershipKeeper {
  const keeper = new MembershipKeeper(0);
  keeper.onRequest({ kind: "rejoin", member: C2 }, whole, 0);
  return keeper;
}

describe("the keeper of the membership", () => {
  test("does nothing of its own accord", () => {
    expect(new MembershipKeeper(0).next(view())).toBeNull();
  });

  test("replaces a lost identity by a learner, one voter at a time", () => {
    const next = asked().next(view())!;
    expect(next).toEqual(withLearner);
    expect(validateMembership(next)).toBeNull();
  });

  test("takes a learner that lost its data in as what it was", () => {
    const keeper = new MembershipKeeper(0);
    const before = learner({ kind: "none" });
    const again = member("c", 12);
    keeper.onRequest({ kind: "rejoin", member: again }, before, 0);
    const next = keeper.next(view({ membership: before }))!;
    expect(next.learners).toEqual([12]);
    expect(next.members[2]).toEqual({ ...again, promotion: { kind: "none" } });
  });

  test("has who was to replace the lost identity replace the new one", () => {
    const heir: Member = { ...member("d", 10), promotion: { kind: "replacement", of: nodeId(3) } };
    const before: Membership = { ...whole, learners: [heir.id], members: [...members, heir] };
    const next = asked().next(view({ membership: before }))!;
    expect(next.members.find(({ name }) => name === "d")?.promotion).toEqual({
      kind: "replacement",
      of: C2.id,
    });
    expect(validateMembership(next)).toBeNull();
  });

  test("waits while another change is under way", () => {
    const keeper = asked();
    expect(keeper.next(view({ changePending: true }))).toBeNull();
    expect(keeper.next(view())).not.toBeNull();
  });

  test("keeps who still speaks under the old identity, and takes over once it has fallen silent", () => {
    const keeper = asked();
    expect(keeper.next(view({ peers: [speaking(3)] }))).toBeNull();
    expect(keeper.next(view({ peers: [silent(3)] }))).toEqual(withLearner);
  });

  test("takes nobody for silent before a leader could have heard of him", () => {
    const keeper = new MembershipKeeper(600);
    keeper.onRequest({ kind: "rejoin", member: C2 }, whole, 0);
    const at = (nowMs: number, changes: Partial<MembershipView> = {}) =>
      keeper.next(view({ nowMs, peers: [silent(3)], ...changes }));
    expect(at(0)).toBeNull();
    expect(at(599)).toBeNull();
    expect(at(600, { term: term(5) })).toBeNull();
    expect(at(1_200, { term: term(5), peers: [speaking(3)] })).toBeNull();
    expect(at(1_201, { term: term(5) })).toEqual(withLearner);
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

  test("forgets who asks no more: whoever is away for a while much later has lost nothing", () => {
    expect(asked().next(view({ nowMs: 4_999 }))).toEqual(withLearner);
    expect(asked().next(view({ nowMs: 5_000 }))).toBeNull();
  });

  test("remembers a bounded number of requests, the last for each name", () => {
    const keeper = new MembershipKeeper(0);
    const rejoin = (wanted: Member, nowMs = 0): void =>
      keeper.onRequest({ kind: "rejoin", member: wanted }, whole, nowMs);
    for (let at = 0; at < 16; at += 1) rejoin(member(`x${at}`, 100 + at));
    rejoin(C2);
    expect(keeper.next(view())).toBeNull();
    rejoin(C2, 5_000);
    expect(keeper.next(view({ nowMs: 5_000 }))).toEqual(withLearner);
    const other = asked();
    other.onRequest({ kind: "rejoin", member: member("c", 12) }, whole, 0);
    expect(other.next(view())?.learners).toEqual([12]);
  });
});

describe("a learner", () => {
  const looks = (membership: Membership, ...views: readonly Partial<MembershipView>[]) => {
    const keeper = new MembershipKeeper(0);
    return views.map((each) => keeper.next(view({ membership, ...each })));
  };

  test("votes once it has all that was committed at the look before", () => {
    const peers = [speaking(2, 1000), speaking(9, 1000)];
    const [first, second] = looks(withLearner, { peers }, { peers, commitIndex: 5000 });
    expect(first).toBeNull();
    expect(second?.voters).toEqual([1, 2, 9]);
    expect(second?.learners).toEqual([]);
    expect(second?.members[2]?.promotion).toEqual({ kind: "none" });
    expect(validateMembership(second!)).toBeNull();
  });

  test.each([
    ["is further behind", [speaking(2), speaking(9, 999)]],
    ["is not heard of", [speaking(2), silent(9, 1000)]],
    ["is not known to the leader", [speaking(2)]],
  ])("that %s has to wait", (_what, peers) => {
    expect(looks(withLearner, { peers }, { peers })[1]).toBeNull();
  });

  test("is not measured by what was committed in another term", () => {
    const peers = [speaking(2), speaking(9, 1000)];
    expect(looks(withLearner, { peers }, { peers, term: term(5) })[1]).toBeNull();
  });

  test("stays one if it is to", () => {
    const peers = [speaking(2), speaking(9, 1000)];
    expect(looks(learner({ kind: "none" }), { peers }, { peers })[1]).toBeNull();
  });

  test("does not vote where its vote would take the quorum away", () => {
    const alone = { peers: [silent(2), speaking(9, 1000)] };
    const five = {
      ...withLearner,
      voters: [1, 2, 3, 4].map(nodeId),
      members: [...whole.members, member("d", 4), C2],
    };
    const peers = [speaking(2, 1000), silent(3), silent(4), speaking(9, 1000)];
    expect(looks(withLearner, alone, alone)[1]?.voters).toEqual([1, 2, 9]);
    const toVote = { ...five, members: [...five.members.slice(0, 4), withLearner.members[2]!] };
    expect(looks(toVote, { peers }, { peers })[1]?.voters).toEqual([1, 2, 3, 4, 9]);
    const fewer = [silent(2), silent(3), silent(4), speaking(9, 1000)];
    expect(looks(toVote, { peers: fewer }, { peers: fewer })[1]).toBeNull();
  });

  test("that replaces a member votes in its place, with one change", () => {
    const replacing: Membership = {
      ...whole,
      learners: [C2.id],
      members: [
        ...members,
        { ...member("d", 9), promotion: { kind: "replacement", of: nodeId(3) } },
      ],
    };
    const peers = [speaking(2, 1000), silent(3), speaking(9, 1000)];
    const next = looks(replacing, { peers }, { peers })[1]!;
    expect(next.voters).toEqual([1, 2, 9]);
    expect(next.members.map(({ name }) => name)).toEqual(["a", "b", "d"]);
    expect(validateMembership(next)).toBeNull();
  });
});

describe("a learner that replaces a learner", () => {
  const D = member("d", 4);
  const E: Member = { ...member("e", 5), promotion: { kind: "replacement", of: D.id } };
  const both = (promotion: Promotion): Membership => ({
    ...whole,
    learners: [D.id, E.id],
    members: [...members, { ...D, promotion }, E],
  });
  const peers = [speaking(2, 1000), silent(4), speaking(5, 1000)];

  /** What follows, change by change, until nothing more does. */
  function changes(first: Membership): readonly Membership[] {
    const keeper = new MembershipKeeper(0);
    keeper.next(view({ membership: first, peers }));
    const steps: Membership[] = [];
    for (let membership = first; steps.length < 10;) {
      const next = keeper.next(view({ membership, peers }));
      if (next === null) return steps;
      expect(validateMembership(next)).toBeNull();
      steps.push(next);
      membership = next;
    }
    throw new Error("it does not end");
  }

  test("takes its place with one change, and stays what that one was", () => {
    const [next, ...more] = changes(both({ kind: "none" }));
    expect(next?.voters).toEqual([1, 2, 3]);
    expect(next?.learners).toEqual([5]);
    expect(next?.members.at(-1)).toEqual({ ...E, promotion: { kind: "none" } });
    expect(more).toEqual([]);
  });

  test("waits until it has caught up", () => {
    const keeper = new MembershipKeeper(0);
    const membership = both({ kind: "none" });
    const behind = { membership, peers: [speaking(2, 1000), speaking(4, 1000), speaking(5, 9)] };
    expect(keeper.next(view(behind))).toBeNull();
    expect(keeper.next(view(behind))).toBeNull();
  });

  test("votes if that one was to vote", () => {
    const [next, last] = changes(both({ kind: "voter" }));
    expect(next?.learners).toEqual([5]);
    expect(next?.members.at(-1)?.promotion).toEqual({ kind: "voter" });
    expect(last?.voters).toEqual([1, 2, 3, 5]);
  });

  test("replaces whom that one was to replace", () => {
    const [next, last] = changes(both({ kind: "replacement", of: nodeId(3) }));
    expect(next?.learners).toEqual([5]);
    expect(last?.voters).toEqual([1, 2, 5]);
    expect(last?.members.map(({ name }) => name)).toEqual(["a", "b", "e"]);
  });

  test("stays a learner where both were to replace each other", () => {
    const [next, ...more] = changes(both({ kind: "replacement", of: E.id }));
    expect(next?.learners).toEqual([5]);
    expect(next?.members.at(-1)?.promotion).toEqual({ kind: "none" });
    expect(more).toEqual([]);
  });

  test.each([
    ["is gone when it comes", { kind: "none" }],
    ["is gone when it comes, and was to vote", { kind: "voter" }],
  ] as const)("becomes the same where that one %s", (_what, otherwise) => {
    const keeper = new MembershipKeeper(0);
    keeper.invitations.invite("e", E.promotion, 0, otherwise);
    keeper.onRequest({ kind: "join", member: E }, whole, 0);
    const next = keeper.next(view())!;
    expect(next.learners).toEqual([5]);
    expect(next.members.at(-1)?.promotion).toEqual(otherwise);
  });
});

describe("a node that asks to join", () => {
  const D = member("d", 9);
  const ask = (keeper: MembershipKeeper, nowMs = 0): void =>
    keeper.onRequest({ kind: "join", member: D }, whole, nowMs);

  test("is let in only if it was invited, at the latest when it asks again", () => {
    const keeper = new MembershipKeeper(0);
    ask(keeper);
    expect(keeper.next(view())).toBeNull();
    keeper.invitations.invite("d", { kind: "none" }, 0);
    ask(keeper);
    const next = keeper.next(view())!;
    expect(next.voters).toEqual([1, 2, 3]);
    expect(next.learners).toEqual([9]);
    expect(next.members[3]).toEqual(D);
    const other = new MembershipKeeper(0);
    other.invitations.invite("d", { kind: "voter" }, 0);
    expect(other.next(view())).toBeNull();
    ask(other);
    expect(other.next(view())?.members[3]?.promotion).toEqual({ kind: "voter" });
  });

  test("is not taken in on what it asked before it was invited: it may be gone, and another one meant", () => {
    const keeper = new MembershipKeeper(0);
    ask(keeper);
    keeper.invitations.invite("d", { kind: "none" }, 0);
    expect(keeper.next(view())).toBeNull();
    expect(keeper.invitations.awaited(0)).toEqual(["d"]);
    const after = member("d", 12);
    keeper.onRequest({ kind: "join", member: after }, whole, 0);
    expect(keeper.next(view())?.learners).toEqual([after.id]);
  });

  test("finds no invitation of an earlier leadership", () => {
    const keeper = new MembershipKeeper(0);
    keeper.invitations.onTerm(view().term);
    keeper.invitations.invite("d", { kind: "none" }, 0);
    ask(keeper);
    keeper.invitations.onTerm(term(view().term + 1));
    expect(keeper.next(view({ term: term(view().term + 1) }))).toBeNull();
  });

  const withD: Membership = { ...whole, learners: [D.id], members: [...members, D] };

  test("is taken in once, however late its last words come", () => {
    const keeper = new MembershipKeeper(0);
    keeper.invitations.invite("d", { kind: "none" }, 0);
    ask(keeper);
    expect(keeper.next(view())).toEqual(withD);
    expect(keeper.next(view({ membership: withD, changePending: true }))).toBeNull();
    keeper.onApplied(withD);
    keeper.onRequest({ kind: "join", member: D }, withD, 0);
    expect(keeper.next(view({ membership: withD }))).toBeNull();
    expect(keeper.invitations.asking(0)).toEqual([]);
    expect(keeper.next(view())).toBeNull();
  });

  test("keeps its invitation where its membership came to nothing", () => {
    const keeper = new MembershipKeeper(0);
    keeper.invitations.invite("d", { kind: "none" }, 0);
    ask(keeper);
    expect(keeper.next(view())).toEqual(withD);
    expect(keeper.next(view())).toEqual(withD);
  });

  test("is forgotten by everybody once it was a member: another one comes under its name", () => {
    const keeper = new MembershipKeeper(0);
    ask(keeper);
    keeper.onApplied(withD);
    keeper.onApplied(whole);
    expect(keeper.invitations.asking(1)).toEqual([]);
  });

  test("has to wait while there is no room", () => {
    const many = Array.from({ length: 32 }, (_, at) => member(`m${at}`, 100 + at));
    const full: Membership = { ...whole, voters: many.map(({ id }) => id), members: many };
    const keeper = new MembershipKeeper(0);
    keeper.invitations.invite("d", { kind: "none" }, 0);
    ask(keeper);
    expect(keeper.next(view({ membership: full }))).toBeNull();
  });

  test("is forgotten when it asks no more, and so is an invitation after a while", () => {
    const keeper = new MembershipKeeper(0);
    keeper.invitations.invite("d", { kind: "none" }, 0);
    ask(keeper);
    expect(keeper.invitations.asking(4_999)).toEqual([D]);
    expect(keeper.invitations.awaited(4_999)).toEqual([]);
    expect(keeper.next(view({ nowMs: 5_000 }))).toBeNull();
    expect(keeper.invitations.awaited(5_000)).toEqual(["d"]);
    ask(keeper, INVITED_MS);
    expect(keeper.next(view({ nowMs: INVITED_MS }))).toBeNull();
  });

  test("does not push out more than the oldest of many", () => {
    const keeper = new MembershipKeeper(0);
    ask(keeper);
    for (let at = 0; at < 15; at += 1) {
      keeper.onRequest({ kind: "join", member: member(`x${at}`, 100 + at) }, whole, 0);
    }
    expect(keeper.invitations.asking(0)[0]).toEqual(D);
    keeper.onRequest({ kind: "join", member: member("last", 200) }, whole, 0);
    expect(keeper.invitations.asking(0)).toHaveLength(16);
    expect(keeper.invitations.asking(0)).not.toContainEqual(D);
  });
});
