import { nodeId, type Member, type Membership } from "@quorate/raft";
import { describe, expect, test, vi } from "vitest";
import { member } from "../../../../tests/support/members.ts";
import {
  PEER_PROTOCOL_VERSION,
  type Entrance,
  type HeartbeatTiming,
  type PeerHello,
} from "../peer/envelope.ts";
import { Acquaintances } from "./acquaintances.ts";
import { Admission, type Belonging } from "./admission.ts";
import { clusterIdOf, Formation } from "./formation.ts";

const NAMES = ["a", "b", "c"];

const [A, B, C] = [member("a", 30), member("b", 10), member("c", 20)];

function formed(): Belonging {
  const formation = new Formation(NAMES, A);
  formation.meet(B);
  formation.meet(C);
  const result = formation.result()!;
  const clusterId = clusterIdOf(result.membership);
  return { clusterId, historyId: `${clusterId}-1`, formation: result };
}

interface Setting {
  readonly names?: readonly string[];
  readonly entrance?: Entrance;
  readonly priority?: number;
  readonly appliedIndex?: number | null;
  readonly leads?: boolean;
  readonly isLed?: boolean;
  readonly belonging?: Belonging | null;
  readonly membership?: Membership;
  readonly bytesMax?: number;
  readonly timing?: HeartbeatTiming;
}

function admission(self: Member, setting: Setting = {}) {
  const { names = NAMES, entrance = "member", priority = 100, belonging = null } = setting;
  const { appliedIndex = 7, leads = false, isLed = false } = setting;
  const ports = {
    onJoinRequest: vi.fn(),
    onAcquainted: vi.fn(),
    onFormed: vi.fn(),
    onWarning: vi.fn(),
    onRefused: vi.fn(),
  };
  const membership = setting.membership ?? formed().formation.membership;
  const acquaintances = new Acquaintances();
  const made = new Admission({
    ...{ self, entrance, priority, belonging, acquaintances },
    formation: new Formation(names, self),
    limits: { bytesMax: setting.bytesMax ?? 1_000, sessionsMax: 10, sessionEphemeralsMax: 10 },
    timing: setting.timing ?? { heartbeatMs: 100, electionTimeoutMs: 600 },
    ports: {
      ...ports,
      members: () => membership.members,
      appliedIndex: () => appliedIndex,
      leads: () => leads,
      isLed: () => isLed,
    },
  });
  const hello = (): PeerHello => ({ ...made.hello(), linkNonce: 1 });
  return { admission: made, hello, acquaintances, ...ports };
}

type Node = ReturnType<typeof admission>;

/** `from` dials `to`; true if the link may be used. */
function dial(from: Node, to: Node, name: string): boolean {
  return from.admission.onWelcome(name, to.admission.onHello(from.hello()));
}

describe("a forming ensemble", () => {
  test("is the same on all its nodes, however they met", () => {
    const nodes = [admission(A), admission(B), admission(C)] as const;
    expect(dial(nodes[0], nodes[1], "b")).toBe(true);
    expect(dial(nodes[0], nodes[2], "c")).toBe(true);
    expect(nodes[0].onFormed).toHaveBeenCalledOnce();
    expect(nodes[1].onFormed).not.toHaveBeenCalled();
    // From here on they learn it from who knows.
    expect(dial(nodes[1], nodes[0], "a")).toBe(true);
    expect(dial(nodes[2], nodes[1], "b")).toBe(true);
    for (const node of nodes) {
      expect(node.onFormed).toHaveBeenCalledOnce();
      expect(node.admission.belonging).toEqual(formed());
    }
  });

  test("ends for who finds a founder in another one: two nodes had one name", () => {
    const namesake = member("b", 11);
    const [a, c] = [admission(A), admission(C)];
    dial(admission(B), a, "a");
    dial(admission(namesake), c, "c");
    // Each has the other's word, and decides by itself.
    dial(a, c, "c");
    expect(a.admission.belonging?.clusterId).not.toBe(c.admission.belonging?.clusterId);
    expect(dial(a, c, "c")).toBe(false);
    expect(c.onRefused.mock.calls[0]?.[0]).toMatchObject({ code: "IDENTITY_REFUSED" });
    expect(dial(c, a, "a")).toBe(false);
    expect(a.onRefused.mock.calls[0]?.[0]).toMatchObject({ code: "IDENTITY_REFUSED" });
  });

  test("has nothing to learn of members of another one that it met before", () => {
    const node = admission(A);
    const other = { clusterId: "other", historyId: "other-1", appliedIndex: 9 };
    const own = { clusterId: formed().clusterId, historyId: formed().historyId, appliedIndex: 9 };
    node.admission.onHello({ ...admission(member("b", 77)).hello(), ...other });
    node.admission.onHello({ ...admission(member("x", 78)).hello(), ...own });
    expect(node.acquaintances.members.map(({ name }) => name)).toEqual(["b", "x"]);
    dial(admission(B), node, "a");
    dial(admission(C), node, "a");
    expect(node.acquaintances.members.map(({ name }) => name)).toEqual(["x"]);
  });

  test("says whom it waits for, and what has to happen", () => {
    const node = admission(A);
    expect(node.admission.waitingFor).toMatch(/^waiting for b, c .*first start/);
    dial(admission(B), node, "a");
    expect(node.admission.waitingFor).toMatch(/^waiting for c to form/);
    dial(admission(C), node, "a");
    expect(node.admission.waitingFor).toBeNull();
    const newcomer = admission(member("d", 9), { entrance: "join" });
    expect(newcomer.admission.waitingFor).toContain("quorate member add d");
    const wiped = admission(B, { entrance: "rejoin" });
    expect(wiped.admission.waitingFor).toContain("taken back");
  });

  test("of one node waits for nobody, and forms once", () => {
    const node = admission(A, { names: ["a"] });
    node.admission.tryForm();
    node.admission.tryForm();
    expect(node.onFormed).toHaveBeenCalledOnce();
  });

  test("is refused between nodes whose limits would lead them to different states", () => {
    const node = admission(A);
    const other = admission(B, { bytesMax: 1_001 });
    expect(dial(other, node, "a")).toBe(false);
    expect(other.onRefused.mock.calls[0]?.[0]).toMatchObject({
      code: "LIMITS_MISMATCH",
      message: expect.stringContaining(
        'tree-bytes-max is 1000 here and 1001 at "b"; to fit, start "b" with --tree-bytes-max 1000',
      ),
    });
  });

  test("is refused between nodes that were told of different members", () => {
    const node = admission(A);
    const other = admission(B, { names: ["a", "b"] });
    expect(dial(other, node, "a")).toBe(false);
    expect(other.onRefused.mock.calls[0]?.[0]).toMatchObject({ code: "MEMBERSHIP_MISMATCH" });
  });

  test("takes no second identity under a name", () => {
    const node = admission(A);
    dial(admission(B), node, "a");
    const stranger = admission(member("b", 99));
    expect(dial(stranger, node, "a")).toBe(false);
    expect(stranger.onRefused.mock.calls[0]?.[0]).toMatchObject({ code: "IDENTITY_REFUSED" });
  });

  test("is not formed with a node that only wants back in", () => {
    const node = admission(A, { entrance: "rejoin" });
    dial(node, admission(B), "b");
    dial(node, admission(C), "c");
    node.admission.tryForm();
    expect(node.onFormed).not.toHaveBeenCalled();
  });

  test("does not follow a formation that names another identity for this node", () => {
    const node = admission(member("b", 99));
    expect(dial(node, admission(A, { belonging: formed(), leads: true }), "a")).toBe(false);
    expect(node.onFormed).not.toHaveBeenCalled();
    expect(node.onRefused.mock.calls[0]?.[0]).toMatchObject({ code: "IDENTITY_REFUSED" });
  });

  test("is not taken from a node of another name than was dialled", () => {
    expect(dial(admission(A), admission(C), "b")).toBe(false);
  });
});

describe("a formed ensemble", () => {
  const node = () => admission(A, { belonging: formed(), leads: true });

  test("has no link with a member that was started under other limits, and both go on", () => {
    const [here, there] = [node(), admission(B, { belonging: formed(), bytesMax: 2_000 })];
    expect(dial(there, here, "a")).toBe(false);
    expect(dial(here, there, "b")).toBe(false);
    expect(here.onRefused).not.toHaveBeenCalled();
    expect(there.onRefused).not.toHaveBeenCalled();
  });

  const answerTo = (changes: Partial<PeerHello>) =>
    node().admission.onHello({ ...admission(B, { belonging: formed() }).hello(), ...changes });

  test("welcomes its members, formed or not yet", () => {
    expect(answerTo({})).toMatchObject({ kind: "welcome", formation: formed().formation });
    expect(answerTo({ clusterId: "", historyId: "" })).toMatchObject({ kind: "welcome" });
  });

  test.each([
    ["another version", { protocolVersion: PEER_PROTOCOL_VERSION + 1 }, "UNSUPPORTED_VERSION"],
    ["another ensemble", { clusterId: "0".repeat(16) }, "OTHER_CLUSTER"],
    ["another history", { historyId: "later" }, "OTHER_HISTORY"],
    ["an unknown node", { nodeId: nodeId(99), name: "d", appliedIndex: null }, "NOT_A_MEMBER"],
    ["a stranger of a known name", { nodeId: nodeId(99), appliedIndex: null }, "IDENTITY_REFUSED"],
    ["who was a member once", { nodeId: nodeId(99), name: "d", appliedIndex: 7 }, "REMOVED"],
  ])("refuses %s", (_what, changes, code) => {
    expect(answerTo(changes)).toMatchObject({ kind: "refused", code });
  });

  test("tells a node without its data, which ends; but only if it leads: others may be behind", () => {
    const wiped = admission(member("b", 99));
    const follower = admission(C, { belonging: formed() });
    for (let count = 0; count < 2; count += 1) expect(dial(wiped, follower, "c")).toBe(false);
    expect(wiped.onRefused).not.toHaveBeenCalled();
    expect(wiped.onWarning.mock.calls).toEqual([[expect.stringContaining("--rejoin")]]);
    expect(dial(wiped, node(), "a")).toBe(false);
    expect(wiped.onRefused.mock.calls[0]?.[0]).toMatchObject({ code: "IDENTITY_REFUSED" });
  });

  test("tells a node that it does not know how to come in", () => {
    const stranger = admission(member("d", 99), { names: ["a", "d"] });
    dial(stranger, node(), "a");
    expect(stranger.onRefused).not.toHaveBeenCalled();
    expect(stranger.onWarning.mock.calls).toEqual([[expect.stringContaining("--join")]]);
  });

  test("hears a node that lost its data, again and again until it is a member", () => {
    const known = node();
    const back = admission(member("b", 99), { entrance: "rejoin" });
    for (let count = 1; count <= 2; count += 1) {
      expect(dial(back, known, "a")).toBe(false);
      const request = { kind: "rejoin", member: member("b", 99) };
      expect(known.onJoinRequest).toHaveBeenNthCalledWith(count, request);
    }
    expect(back.admission.belonging).toBeNull();
    expect(back.onRefused).not.toHaveBeenCalled();
  });

  test("has a node that comes back and whose name is gone join as a new one", () => {
    const known = node();
    const back = admission(member("d", 99), { names: ["a", "d"], entrance: "rejoin" });
    expect(dial(back, known, "a")).toBe(false);
    expect(known.onJoinRequest).toHaveBeenCalledWith({ kind: "join", member: member("d", 99) });
    expect(back.onRefused).not.toHaveBeenCalled();
  });

  test("takes no rejoin from a node that is still who it was", () => {
    const known = node();
    const same = admission(B, { entrance: "rejoin", belonging: formed() });
    expect(dial(same, known, "a")).toBe(true);
    expect(known.onJoinRequest).not.toHaveBeenCalled();
  });

  test("notes who wants to join, and lets it wait until it is a member", () => {
    const known = node();
    const newcomer = admission(member("d", 99), { names: ["a", "d"], entrance: "join" });
    expect(dial(newcomer, known, "a")).toBe(false);
    const request = { kind: "join", member: member("d", 99) };
    expect(known.onJoinRequest).toHaveBeenCalledWith(request);
    expect(newcomer.onRefused).not.toHaveBeenCalled();
    const { membership } = formed().formation;
    const withNewcomer = {
      ...membership,
      learners: [nodeId(99)],
      members: [...membership.members, member("d", 99)],
    };
    const later = admission(A, { belonging: formed(), membership: withNewcomer });
    expect(dial(newcomer, later, "a")).toBe(true);
    expect(newcomer.admission.belonging).toEqual(formed());
  });

  test("refuses a newcomer under a name that is taken; it says so once, and waits: the member may be behind", () => {
    const known = node();
    const newcomer = admission(member("b", 99), { entrance: "join" });
    expect(dial(newcomer, known, "a")).toBe(false);
    expect(dial(newcomer, known, "a")).toBe(false);
    expect(known.onJoinRequest).not.toHaveBeenCalled();
    expect(newcomer.onRefused).not.toHaveBeenCalled();
    expect(newcomer.onWarning).toHaveBeenCalledOnce();
    expect(newcomer.onWarning).toHaveBeenCalledWith(expect.stringContaining('is called "b"'));
    const { members, ...rest } = formed().formation.membership;
    const without = { ...rest, members: members.filter(({ name }) => name !== "b") };
    dial(newcomer, admission(A, { belonging: formed(), membership: without }), "a");
    expect(newcomer.onWarning).toHaveBeenLastCalledWith(
      expect.stringContaining("quorate member add b"),
    );
  });

  test("listens to an unknown member of a later membership: it may lead", () => {
    const behind = node();
    const ahead = admission(member("d", 99), { belonging: formed(), appliedIndex: 8 });
    expect(dial(ahead, behind, "a")).toBe(true);
    expect(behind.onAcquainted).toHaveBeenCalledOnce();
    expect(behind.acquaintances.members).toEqual([member("d", 99)]);
  });

  test("is known to a node that waits for it by whoever dials, wherever its configuration leads", () => {
    const waiting = admission(member("d", 99), { names: ["d", "gone"], entrance: "rejoin" });
    dial(admission(C, { belonging: formed(), appliedIndex: 8 }), waiting, "d");
    dial(admission(member("e", 98), { entrance: "join" }), waiting, "d");
    expect(waiting.acquaintances.members).toEqual([C]);
    expect(waiting.onAcquainted).toHaveBeenCalledOnce();
  });

  test("tells a node that was removed, which ends", () => {
    const removed = admission(member("d", 99), { belonging: formed(), appliedIndex: 7 });
    expect(dial(removed, node(), "a")).toBe(false);
    expect(removed.onRefused.mock.calls[0]?.[0]).toMatchObject({ code: "REMOVED" });
  });

  test("does not believe who tells it so while it is led: who is led was taken in again since", () => {
    const belonging = formed();
    const again = admission(member("d", 99), { belonging, appliedIndex: 7, isLed: true });
    expect(dial(again, node(), "a")).toBe(false);
    expect(again.onRefused).not.toHaveBeenCalled();
    expect(again.onWarning.mock.calls[0]?.[0]).toContain('refused by "a"');
  });

  test("knows the priorities of those it welcomed", () => {
    const known = node();
    dial(admission(B, { belonging: formed(), priority: 300 }), known, "a");
    dial(admission(member("d", 99), { priority: 900 }), known, "a");
    expect(known.admission.priorityOf(B.id)).toBe(300);
    expect(known.admission.priorityOf(nodeId(99))).toBe(0);
  });

  test("dials nobody of another ensemble", () => {
    const elsewhere = { ...formed(), clusterId: "f".repeat(16) };
    const other = admission(B, { belonging: elsewhere });
    expect(dial(node(), other, "b")).toBe(false);
  });
});

describe("a member that says another address than the one that is dialled", () => {
  const moved = (member: Member) => ({ ...member, peerAddress: `${member.name}:moved` });

  test("is told of once: a founder by its configuration", () => {
    const here = admission(A, { belonging: formed() });
    const there = admission(moved(B), { belonging: formed() });
    for (let count = 0; count < 2; count += 1) expect(dial(there, here, "a")).toBe(true);
    expect(here.onWarning).toHaveBeenCalledOnce();
    const text = here.onWarning.mock.calls[0]?.[0] as string;
    expect(text).toContain("b:moved");
    expect(text).toContain(B.peerAddress);
    expect(text).toContain("correct that on all nodes");
  });

  test("is told of once: whoever joined later by where it joined", () => {
    const { membership } = formed().formation;
    const later = member("d", 99);
    const members = [...membership.members, later];
    const here = admission(A, { belonging: formed(), membership: { ...membership, members } });
    dial(admission(moved(later), { belonging: formed() }), here, "a");
    expect(here.onWarning.mock.calls).toEqual([[expect.stringContaining("--rejoin")]]);
  });

  test("is well where one of its addresses is dialled", () => {
    const here = admission(A, { belonging: formed() });
    const peerAddress = `b:inside|${B.peerAddress}`;
    dial(admission({ ...B, peerAddress }, { belonging: formed() }), here, "a");
    expect(here.onWarning).not.toHaveBeenCalled();
  });
});

describe("nodes whose heartbeats and election timeouts do not fit", () => {
  const slow = { heartbeatMs: 300, electionTimeoutMs: 3_000 };

  test("link up, and the one that is met says once what does not fit", () => {
    const [here, there] = [admission(A), admission(B, { timing: slow })];
    for (let count = 0; count < 3; count += 1) expect(dial(there, here, "a")).toBe(true);
    expect(here.onWarning).toHaveBeenCalledOnce();
    expect(here.onWarning.mock.calls[0]?.[0]).toContain('election-timeout-ms 3000 at "b"');
    expect(dial(here, there, "b")).toBe(true);
    expect(there.onWarning).toHaveBeenCalledOnce();
  });

  test("are told of again when they fitted in between", () => {
    const [here, there] = [admission(A), admission(B, { timing: slow })];
    const mended = admission(B);
    for (const node of [there, mended, there]) dial(node, here, "a");
    expect(here.onWarning).toHaveBeenCalledTimes(2);
  });

  test("are those of which one waits for less than three heartbeats of the other", () => {
    const here = admission(A);
    dial(admission(B, { timing: { heartbeatMs: 200, electionTimeoutMs: 900 } }), here, "a");
    dial(admission(C, { timing: { heartbeatMs: 50, electionTimeoutMs: 300 } }), here, "a");
    expect(here.onWarning).not.toHaveBeenCalled();
    dial(admission(C, { timing: { heartbeatMs: 50, electionTimeoutMs: 299 } }), here, "a");
    expect(here.onWarning).toHaveBeenCalledOnce();
  });
});
