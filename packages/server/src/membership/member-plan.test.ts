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
import { ServerError } from "../errors.ts";
import { Invitations } from "./invitations.ts";
import { readMemberCommand, readNodeName, type MemberCommand } from "./member-command.ts";
import { planCommand } from "./member-plan.ts";
import type { MembershipView } from "./membership-keeper.ts";

const three: Membership = {
  voters: [1, 2, 3].map(nodeId),
  outgoingVoters: [],
  learners: [nodeId(4)],
  members: [member("a", 1), member("b", 2), member("c", 3), member("d", 4)],
};

/** Seen by `a`, which hears of `heard`. */
function viewOf(heard: readonly number[], membership: Membership = three): MembershipView {
  const peers = membership.members.slice(1).map(({ id }) => ({
    id,
    matchIndex: logIndex(10),
    recentlyActive: heard.includes(id),
  }));
  const { self, term: now } = { self: nodeId(1), term: term(1) };
  return { self, term: now, membership, commitIndex: 10, changePending: false, peers, nowMs: 0 };
}

const plan = (command: MemberCommand, view = viewOf([2, 3, 4]), invitations = new Invitations()) =>
  planCommand(command, view, invitations);

function refusal(command: MemberCommand, view?: MembershipView): ServerError {
  try {
    plan(command, view);
  } catch (error) {
    if (error instanceof ServerError) return error;
  }
  throw new Error("it was not refused");
}

describe("add", () => {
  const add: MemberCommand = { kind: "add", name: "e", staysLearner: false };

  test("invites, and tells what the ensemble survives now and then", () => {
    const { step, before, after } = plan(add);
    expect(step).toMatchObject({ kind: "invite", name: "e", promotion: { kind: "voter" } });
    expect(before).toMatchObject({
      voters: ["a", "b", "c"],
      quorum: 2,
      tolerates: 1,
      reachable: 3,
    });
    expect(after).toMatchObject({
      voters: ["a", "b", "c", "e"],
      quorum: 3,
      tolerates: 1,
      reachable: 4,
    });
    expect(after.learners).toEqual(["d"]);
  });

  test("is not refused because a member is down, as a quorum is there", () => {
    expect(plan(add, viewOf([2])).before.reachable).toBe(2);
  });

  test("of a learner alters nobody's vote", () => {
    const { step, after } = plan({ ...add, staysLearner: true });
    expect(step).toMatchObject({ promotion: { kind: "none" } });
    expect(after).toMatchObject({ voters: ["a", "b", "c"], learners: ["d", "e"] });
  });

  test("of a member is refused", () => {
    expect(refusal({ ...add, name: "d" }).code).toBe("MEMBER_EXISTS");
  });
});

describe("promote", () => {
  test("lets a learner vote, once it has caught up", () => {
    const { step, after } = plan({ kind: "promote", name: "d" });
    if (step.kind !== "propose") throw new Error(step.kind);
    expect(step.membership.learners).toEqual([4]);
    expect(step.membership.members[3]?.promotion).toEqual({ kind: "voter" });
    expect(validateMembership(step.membership)).toBeNull();
    expect(after.voters).toEqual(["a", "b", "c", "d"]);
  });

  test("of a voter has nothing to do, of a stranger is refused", () => {
    expect(plan({ kind: "promote", name: "b" }).step).toEqual({ kind: "nothing" });
    expect(refusal({ kind: "promote", name: "x" }).message).toContain("the members are a, b, c, d");
  });
});

describe("remove", () => {
  test("takes a voter out, though it be the leader", () => {
    for (const [name, left] of [
      ["c", [1, 2]],
      ["a", [2, 3]],
    ] as const) {
      const { step, after } = plan({ kind: "remove", name });
      if (step.kind !== "propose") throw new Error(step.kind);
      expect(step.membership.voters).toEqual(left);
      expect(validateMembership(step.membership)).toBeNull();
      expect(after).toMatchObject({ tolerates: 0 });
    }
  });

  test("gives who was to replace a member its place at once", () => {
    const heirOf = (id: number): Membership => {
      const heir: Member = {
        ...member("e", 5),
        promotion: { kind: "replacement", of: nodeId(id) },
      };
      return {
        ...three,
        learners: [nodeId(4), nodeId(5)],
        members: [...three.members, heir],
      };
    };
    for (const [id, name, becomes] of [
      [3, "c", "voter"],
      [4, "d", "none"],
    ] as const) {
      const { step } = plan({ kind: "remove", name }, viewOf([2, 3, 4, 5], heirOf(id)));
      if (step.kind !== "propose") throw new Error(step.kind);
      expect(step.membership.members.at(-1)).toMatchObject({
        name: "e",
        promotion: { kind: becomes },
      });
      expect(step.membership.learners).toContain(5);
    }
  });

  test("takes out who is down", () => {
    expect(plan({ kind: "remove", name: "c" }, viewOf([2])).step.kind).toBe("propose");
  });

  test("is refused where those left could decide nothing now", () => {
    const error = refusal({ kind: "remove", name: "b" }, viewOf([2]));
    expect(error.code).toBe("QUORUM_AT_RISK");
    expect(error.message).toContain("2 of a, c would have to answer, and c does not");
  });

  test("is refused for the last voter", () => {
    const alone = {
      ...three,
      voters: [nodeId(1)],
      members: [three.members[0]!, three.members[3]!],
    };
    expect(refusal({ kind: "remove", name: "a" }, viewOf([4], alone)).code).toBe("QUORUM_AT_RISK");
  });

  test("ends an invitation", () => {
    const invitations = new Invitations();
    invitations.invite("e", { kind: "voter" }, 0);
    const { step } = plan({ kind: "remove", name: "e" }, viewOf([2]), invitations);
    expect(step).toEqual({ kind: "withdraw", name: "e" });
    expect(refusal({ kind: "remove", name: "e" }).code).toBe("MEMBER_UNKNOWN");
  });
});

test("nobody is invited where there is no room", () => {
  const learners = Array.from({ length: 29 }, (_, at) => member(`m${at}`, 100 + at));
  const full: Membership = {
    ...three,
    learners: learners.map(({ id }) => id),
    members: [...three.members.slice(0, 3), ...learners],
  };
  for (const command of [
    { kind: "add", name: "e", staysLearner: true },
    { kind: "replace", name: "c", by: "e" },
  ] as const) {
    expect(refusal(command, viewOf([2, 3], full)).code).toBe("REQUEST_INVALID");
  }
});

describe("replace", () => {
  test("invites another node in a member's place", () => {
    const { step, before, after } = plan({ kind: "replace", name: "c", by: "e" }, viewOf([2]));
    const promotion = { kind: "replacement", of: 3 };
    expect(step).toMatchObject({ kind: "invite", name: "e", promotion });
    expect(before.reachable).toBe(2);
    expect(after).toMatchObject({ voters: ["a", "b", "e"], tolerates: 1, reachable: 3 });
  });

  test("lets a learner take the place", () => {
    const { step } = plan({ kind: "replace", name: "c", by: "d" });
    if (step.kind !== "propose") throw new Error(step.kind);
    expect(step.membership.members[3]?.promotion).toEqual({ kind: "replacement", of: 3 });
    expect(step.membership.voters).toEqual([1, 2, 3]);
  });

  test("of a learner leaves a learner, as it was", () => {
    const { step, before, after } = plan({ kind: "replace", name: "d", by: "e" });
    const promotion = { kind: "replacement", of: 4 };
    expect(step).toMatchObject({ kind: "invite", name: "e", promotion });
    expect(before).toMatchObject({ voters: ["a", "b", "c"], learners: ["d"] });
    expect(after).toMatchObject({ voters: ["a", "b", "c"], learners: ["e"], tolerates: 1 });
  });

  test("of a learner that is to vote comes to a vote", () => {
    for (const promotion of [
      { kind: "voter" },
      { kind: "replacement", of: nodeId(3) },
    ] as const satisfies readonly Promotion[]) {
      const heir = { ...member("d", 4), promotion };
      const membership = { ...three, members: [...three.members.slice(0, 3), heir] };
      const view = viewOf([2, 3, 4], membership);
      const { after } = plan({ kind: "replace", name: "d", by: "e" }, view);
      const others = promotion.kind === "voter" ? ["a", "b", "c"] : ["a", "b"];
      expect(after).toMatchObject({ voters: [...others, "e"], learners: [] });
    }
  });

  describe("of a learner by another one", () => {
    const E = member("e", 5);
    const two: Membership = {
      ...three,
      learners: [nodeId(4), nodeId(5)],
      members: [...three.members, E],
    };

    test("leaves one learner less", () => {
      const { step, after } = plan({ kind: "replace", name: "d", by: "e" }, viewOf([2, 3], two));
      if (step.kind !== "propose") throw new Error(step.kind);
      expect(step.membership.learners).toEqual([4, 5]);
      expect(step.membership.members[4]?.promotion).toEqual({ kind: "replacement", of: 4 });
      expect(after).toMatchObject({ voters: ["a", "b", "c"], learners: ["e"] });
    });

    test("counts more than that it was to be the other way round", () => {
      const heir = { ...three.members[3]!, promotion: { kind: "replacement", of: E.id } } as const;
      const turned = { ...two, members: [...three.members.slice(0, 3), heir, E] };
      const view = viewOf([2, 3], turned);
      const { step, after } = plan({ kind: "replace", name: "d", by: "e" }, view);
      if (step.kind !== "propose") throw new Error(step.kind);
      expect(step.membership.members.slice(3).map(({ promotion }) => promotion)).toEqual([
        { kind: "none" },
        { kind: "replacement", of: 4 },
      ]);
      expect(after).toMatchObject({ voters: ["a", "b", "c"], learners: ["e"] });
    });
  });

  test("is refused for strangers and by voters", () => {
    expect(refusal({ kind: "replace", name: "x", by: "e" }).code).toBe("MEMBER_UNKNOWN");
    expect(refusal({ kind: "replace", name: "c", by: "b" }).code).toBe("MEMBER_EXISTS");
    expect(refusal({ kind: "replace", name: "d", by: "d" }).code).toBe("MEMBER_EXISTS");
  });
});

describe("a command that was sent", () => {
  test("is read as it is meant", () => {
    const commands: readonly MemberCommand[] = [
      { kind: "add", name: "e", staysLearner: true },
      { kind: "promote", name: "e" },
      { kind: "remove", name: "e" },
      { kind: "replace", name: "e", by: "f" },
    ];
    for (const command of commands) expect(readMemberCommand({ ...command })).toEqual(command);
    expect(readNodeName("e")).toBe("e");
    expect(readNodeName(null)).toBeNull();
  });

  test.each([
    [null],
    [{}],
    [{ kind: "ruin", name: "e" }],
    [{ kind: "add", name: "e" }],
    [{ kind: "add", name: "../e", staysLearner: false }],
    [{ kind: "remove", name: "e", by: "f" }],
    [{ kind: "replace", name: "e" }],
  ])("is refused if it is %j", (value) => {
    expect(() => readMemberCommand(value)).toThrow(/^REQUEST_INVALID: /);
  });

  test("names no node with what is no name", () => {
    for (const value of [7, "", "a b", {}]) {
      expect(() => readNodeName(value)).toThrow(/^REQUEST_INVALID: /);
    }
  });
});
