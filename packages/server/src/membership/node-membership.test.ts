import {
  logIndex,
  nodeId,
  term,
  type Member,
  type Membership,
  type NodeId,
  type RaftInput,
  type RaftStatus,
  type StepResult,
} from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { member } from "../../../../tests/support/members.ts";
import { peerOf, statusOf } from "../../../../tests/support/raft-status.ts";
import type { ServerError } from "../errors.ts";
import { createMemoryLogger } from "../observe/logger.ts";
import type { PeerEnvelope } from "../peer/envelope.ts";
import type { PeerTarget } from "../peer/peer-network.ts";
import { Acquaintances } from "./acquaintances.ts";
import { INVITED_MS } from "./invitations.ts";
import { NodeMembership } from "./node-membership.ts";

function membershipOf(...ids: readonly number[]): Membership {
  const members = ids.map((id) => member("abcdefgh".charAt(id - 1), id));
  return { voters: ids.map(nodeId), outgoingVoters: [], learners: [], members };
}

const THREE = membershipOf(1, 2, 3);
const ELECTION_TIMEOUT_MS = 100;

interface Setting {
  readonly self?: Member;
  readonly initial?: Membership;
  /** The last one in the log. Default: the initial one. */
  readonly logged?: Membership;
  readonly configured?: readonly string[];
  readonly isLeading?: boolean;
  /** Who may be handed over to, the best first. Default: the second node alone. */
  readonly heirs?: readonly number[];
  readonly result?: StepResult;
}

/** A node's membership, and everything it asks for. */
function lab(setting: Setting = {}) {
  const { self = member("a", 1), initial = THREE, configured = ["a", "b", "c"] } = setting;
  const steps: RaftInput[] = [];
  const logger = createMemoryLogger();
  const sent: { readonly to: NodeId; readonly envelope: PeerEnvelope }[] = [];
  const state = {
    isLeading: setting.isLeading ?? true,
    removed: null as ServerError | null,
    memberSince: [] as number[],
    targets: [] as readonly PeerTarget[],
    nowMs: 0,
    term: term(1),
    followed: nodeId(2) as NodeId | null,
    transferringTo: null as NodeId | null,
    membership: setting.logged ?? initial,
  };
  const status = (): RaftStatus =>
    statusOf({
      id: self.id,
      role: state.isLeading ? "leader" : "follower",
      term: state.term,
      leader: state.isLeading ? self.id : state.followed,
      appliedIndex: logIndex(9),
      membership: state.membership,
      transferringTo: state.transferringTo,
      peers: state.membership.members
        .filter(({ id }) => id !== self.id)
        .map(({ id }) => peerOf(id)),
    });
  const acquaintances = new Acquaintances();
  const heirs = (setting.heirs ?? [2]).map(nodeId);
  const members = new NodeMembership({
    self,
    initial,
    founders: THREE,
    configured: configured.map((name) => ({
      name,
      peerAddress: `${name}:now`,
      clientAddress: `${name}:clients`,
    })),
    acquaintances,
    logger,
    electionTimeoutMs: ELECTION_TIMEOUT_MS,
    ports: {
      nowMs: () => state.nowMs,
      status,
      isLeading: () => state.isLeading,
      step: (input) => {
        steps.push(input);
        return setting.result ?? { ok: true, index: null };
      },
      successor: (mayLead) => heirs.find(mayLead) ?? null,
      send: (to, envelope) => void sent.push({ to, envelope }),
      setTargets: (targets) => {
        state.targets = targets;
      },
      onMember: (index) => void state.memberSince.push(index),
      onRemoved: (error) => {
        state.removed = error;
      },
    },
  });
  members.start();
  const names = (): readonly string[] => state.targets.map(({ name }) => name).sort();
  const apply = (membership: Membership, index: number): void => {
    state.membership = membership;
    members.onApplied(membership, logIndex(index));
  };
  const meet = (stranger: Member, appliedIndex: number): void => {
    if (acquaintances.meet({ member: stranger, historyId: "h", appliedIndex }))
      members.onAcquainted();
  };
  return { members, steps, sent, state, names, apply, meet, lines: logger.lines };
}

describe("whom a node dials", () => {
  test("its members, and nobody whom only the configuration names", () => {
    const { names } = lab({ configured: ["a", "b", "x"] });
    expect(names()).toEqual(["a", "b", "c"]);
  });

  test("also the configured ones while it waits to be taken in: its members may be of the past", () => {
    const { members, names, apply } = lab({ self: member("d", 4), configured: ["d", "e"] });
    expect(members.belongs).toBe(false);
    expect(names()).toEqual(["a", "b", "c", "d", "e"]);
    apply(membershipOf(1, 2, 4), 5);
    expect(members.belongs).toBe(true);
    expect(names()).toEqual(["a", "b", "d"]);
  });

  test("also the configured ones while it has had no leader for long: its members may all be gone", () => {
    const { members, names, state } = lab({ isLeading: false, configured: ["a", "x"] });
    members.keep();
    state.followed = null;
    for (const nowMs of [500, 999]) {
      state.nowMs = nowMs;
      members.keep();
      expect(names()).toEqual(["a", "b", "c"]);
    }
    state.nowMs = 1_000;
    members.keep();
    expect(names()).toEqual(["a", "b", "c", "x"]);
    expect(state.targets.map(({ id }) => id)).toContain(2);
    state.followed = nodeId(3);
    members.keep();
    expect(names()).toEqual(["a", "b", "c"]);
  });

  test("also the configured ones where it never had a leader", () => {
    const { members, names, state } = lab({ isLeading: false, configured: ["x"] });
    state.followed = null;
    state.nowMs = 1_000;
    members.keep();
    expect(names()).toEqual(["a", "b", "c", "x"]);
  });

  test("members as the log has them, before they are applied, and also if they never will be", () => {
    const { members, names, state } = lab();
    state.membership = membershipOf(1, 2, 4);
    members.keep();
    expect(names()).toEqual(["a", "b", "c", "d"]);
    expect(members.known.map(({ id }) => id)).toEqual([1, 2, 4, 3]);
    state.membership = THREE;
    members.keep();
    expect(names()).toEqual(["a", "b", "c"]);
  });

  test("after a restart those of the log as well: the votes are counted by it", () => {
    const { names } = lab({ logged: membershipOf(1, 4) });
    expect(names()).toEqual(["a", "b", "c", "d"]);
  });

  test("strangers who have applied more, until it has as well", () => {
    const { members, meet, names, state, apply } = lab();
    const peers = () => [2, 3, 4, 5, 6].filter((id) => members.isPeer(nodeId(id)));
    meet(member("e", 5), 100);
    expect(names()).toEqual(["a", "b", "c", "e"]);
    expect(peers()).toEqual([2, 3, 5]);
    apply(membershipOf(1, 2, 4), 99);
    expect(names()).toEqual(["a", "b", "d", "e"]);
    meet(member("b", 6), 200);
    expect(state.targets.find(({ name }) => name === "b")?.id).toBe(6);
    expect(peers()).toEqual([4, 5, 6]);
    apply(membershipOf(1, 2, 4), 200);
    expect(names()).toEqual(["a", "b", "d"]);
    expect(state.targets.find(({ name }) => name === "b")?.id).toBe(2);
    expect(peers()).toEqual([2, 4]);
  });

  test("no more than a bounded number of strangers", () => {
    const { meet, names } = lab();
    for (let at = 0; at < 50; at += 1) meet(member(`x${at}`, 100 + at), 50);
    expect(names()).toHaveLength(3 + 16);
  });
});

test("a node that was taken out ends, one that never was in does not", () => {
  const { apply, state } = lab();
  apply(membershipOf(2, 3), 5);
  expect(state.removed?.code).toBe("REMOVED");
  const waiting = lab({ self: member("d", 4) });
  waiting.apply(membershipOf(1, 2), 5);
  expect(waiting.state.removed).toBeNull();
});

test("a node that hears from a leader that it was removed was taken in again since", () => {
  const { apply, state } = lab({ isLeading: false });
  apply(membershipOf(2, 3), 5);
  expect(state.removed).toBeNull();
  apply(membershipOf(1, 2, 3), 6);
  expect(state.removed).toBeNull();
});

test("a leader that applies its removal while its log has it back goes on", () => {
  const { members, apply, state } = lab({ isLeading: true });
  apply(membershipOf(1, 2, 3), 4);
  members.onApplied(membershipOf(2, 3), logIndex(5));
  expect(state.removed).toBeNull();
  apply(membershipOf(2, 3), 6);
  expect(state.removed?.code).toBe("REMOVED");
});

test("a node notes when it became a member, and no more than that", () => {
  const founder = lab();
  founder.apply(membershipOf(1, 2, 4), 7);
  expect(founder.state.memberSince).toEqual([9]);
  const waiting = lab({ self: member("d", 4) });
  expect(waiting.state.memberSince).toEqual([]);
  waiting.apply(membershipOf(1, 2, 4), 5);
  waiting.apply(membershipOf(1, 3, 4), 6);
  expect(waiting.state.memberSince).toEqual([5]);
});

test("clients are told the configured addresses where there are any", () => {
  const { members } = lab({ configured: ["b"] });
  expect(members.clientAddresses).toEqual(["a:2", "b:clients", "c:2"]);
  expect(members.clientAddressOf(nodeId(2))).toBe("b:clients");
  expect(members.clientAddressOf(nodeId(7))).toBeNull();
  expect(members.nameOf(nodeId(3))).toBe("c");
  expect(members.nameOf(null)).toBeNull();
});

describe("a member that came later, under the name of a founder", () => {
  const later = { ...member("b", 4), peerAddress: "b:joined", clientAddress: "b:joined-clients" };
  const replaced: Membership = {
    ...membershipOf(1, 3, 4),
    members: [...THREE.members.filter(({ name }) => name !== "b"), later],
  };
  const dialled = (node: ReturnType<typeof lab>) =>
    node.state.targets.find(({ name }) => name === "b")?.peerAddress;

  test("is reached where it joined, not where the configuration says that the founder was", () => {
    const node = lab();
    expect(dialled(node)).toBe("b:now");
    node.apply(replaced, 5);
    expect(dialled(node)).toBe("b:joined");
    expect(node.members.clientAddressOf(nodeId(4))).toBe("b:joined-clients");
    expect(node.members.shown.members).toContainEqual(later);
    expect(node.members.reachable).toContainEqual(later);
  });

  test("is sought in both places by a node that finds no leader", () => {
    const node = lab({ isLeading: false, initial: replaced });
    node.state.followed = null;
    node.state.nowMs = 10 * ELECTION_TIMEOUT_MS;
    node.members.keep();
    expect(dialled(node)).toBe("b:joined|b:now");
  });
});

describe("a node that asks to join", () => {
  const request = { kind: "join", member: member("d", 4) } as const;

  test("finds no invitation of an earlier leadership: others led in between, where it may have been withdrawn", () => {
    const { members, steps, state } = lab();
    const add = { kind: "add", name: "d", staysLearner: false } as const;
    members.command(add, false);
    expect(members.waiting.awaited).toEqual(["d"]);
    state.term = term(3);
    expect(members.waiting.awaited).toEqual([]);
    members.onJoinRequest(request, false);
    members.keep();
    expect(steps).toEqual([]);
    expect(() => members.command({ kind: "remove", name: "d" }, false)).toThrow("MEMBER_UNKNOWN");
    members.command(add, false);
    members.onJoinRequest(request, false);
    members.keep();
    expect(steps).toMatchObject([{ kind: "proposeMembership" }]);
  });

  test("is told to the leader by who is not, once", () => {
    const { members, sent } = lab({ isLeading: false });
    members.onJoinRequest(request, true);
    expect(sent).toEqual([{ to: 2, envelope: { kind: "joinRequest", request } }]);
    members.onJoinRequest(request, false);
    expect(sent).toHaveLength(1);
  });

  test("is taken in by the leader that invited it", () => {
    const { members, sent, steps } = lab();
    members.onJoinRequest(request, true);
    expect(sent).toEqual([]);
    members.keep();
    expect(steps).toEqual([]);
    expect(members.waiting).toMatchObject({ asking: [{ name: "d" }], awaited: [] });
    members.command({ kind: "add", name: "d", staysLearner: false }, false);
    members.onJoinRequest(request, true);
    members.keep();
    expect(steps).toMatchObject([{ kind: "proposeMembership", membership: { learners: [4] } }]);
  });
});

describe("a command", () => {
  const remove = (name: string) => ({ kind: "remove", name }) as const;

  test("is proposed, or on trial only planned", () => {
    const { members, steps } = lab();
    const trial = members.command(remove("c"), true);
    expect(steps).toEqual([]);
    expect(members.command(remove("c"), false)).toEqual(trial);
    expect(steps).toMatchObject([{ kind: "proposeMembership", membership: { voters: [1, 2] } }]);
  });

  test("is for the leader", () => {
    const { members } = lab({ isLeading: false });
    expect(() => members.command(remove("c"), true)).toThrow(/^NOT_LEADER/);
  });

  test.each([
    ["another change", "membershipPending", /^CHANGE_PENDING: another change/],
    ["the next leader", "leaderTransferring", /^NOT_LEADER: the lead is on its way to another/],
    ["another leader", "notLeader", /^NOT_LEADER: this node does not lead/],
  ] as const)("has to wait for %s", (_whom, reason, expected) => {
    const { members } = lab({ result: { ok: false, reason, leader: null } });
    expect(() => members.command(remove("c"), false)).toThrow(expected);
  });

  test("to take the leader out is begun by itself where its successor did not take over, once a term", () => {
    const { members, steps, state } = lab();
    const removeSelf = (): unknown => members.command(remove("a"), false);
    expect(removeSelf).toThrow(/^NOT_LEADER/);
    state.transferringTo = nodeId(2);
    expect(removeSelf).toThrow(/^NOT_LEADER/);
    state.transferringTo = null;
    removeSelf();
    expect(steps).toMatchObject([
      { kind: "transferLeadership", to: 2 },
      { kind: "proposeMembership" },
    ]);
    state.term = term(2);
    expect(removeSelf).toThrow(/^NOT_LEADER/);
    expect(steps.at(-1)).toEqual({ kind: "transferLeadership", to: 2 });
  });

  test("to take the leader out is left to the next best where its successor did not take over", () => {
    const { members, steps } = lab({ heirs: [2, 3] });
    const removeSelf = (): unknown => members.command(remove("a"), false);
    expect(removeSelf).toThrow(/^NOT_LEADER/);
    expect(removeSelf).toThrow(/^NOT_LEADER/);
    removeSelf();
    expect(steps).toMatchObject([
      { kind: "transferLeadership", to: 2 },
      { kind: "transferLeadership", to: 3 },
      { kind: "proposeMembership" },
    ]);
  });

  test("to take the leader out is left to its successor", () => {
    const { members, steps, state } = lab();
    expect(() => members.command(remove("a"), false)).toThrow(/^NOT_LEADER: the lead is on/);
    expect(steps).toEqual([{ kind: "transferLeadership", to: 2 }]);
    state.transferringTo = nodeId(2);
    expect(() => members.command(remove("a"), false)).toThrow(/^NOT_LEADER: the lead is on/);
    expect(steps).toHaveLength(1);
  });

  test("to take the leader out is its own where nobody can follow it", () => {
    const { members, steps } = lab({ heirs: [] });
    members.command(remove("a"), false);
    expect(steps).toMatchObject([{ kind: "proposeMembership", membership: { voters: [2, 3] } }]);
  });

  test("ends an invitation", () => {
    const { members } = lab();
    members.command({ kind: "add", name: "d", staysLearner: true }, false);
    expect(members.waiting.awaited).toEqual(["d"]);
    members.command(remove("d"), false);
    expect(members.waiting.awaited).toEqual([]);
  });

  test("tells its operators how an invitation ended that nobody took up, once", () => {
    const { members, state, lines } = lab();
    const invite = () => members.command({ kind: "add", name: "d", staysLearner: true }, false);
    invite();
    members.command(remove("d"), false);
    invite();
    state.nowMs = INVITED_MS - 1;
    members.keep();
    expect(lines).toHaveLength(1);
    state.nowMs = INVITED_MS;
    members.keep();
    members.keep();
    invite();
    state.isLeading = false;
    state.term = term(2);
    members.keep();
    members.keep();
    expect(lines.map(({ level, fields, message }) => [level, fields["member"], message])).toEqual([
      ["info", "d", expect.stringContaining("withdrawn")],
      ["warn", "d", expect.stringContaining("nobody came")],
      ["warn", "d", expect.stringContaining("did not lead all the while")],
    ]);
  });
});

test("a leader that is to be replaced hands over before its learner takes its place", () => {
  const replacement: Member = {
    ...member("d", 4),
    promotion: { kind: "replacement", of: nodeId(1) },
  };
  const initial = { ...THREE, learners: [nodeId(4)], members: [...THREE.members, replacement] };
  const { members, steps } = lab({ initial });
  members.keep();
  members.keep();
  expect(steps).toEqual([{ kind: "transferLeadership", to: 2 }]);
});
