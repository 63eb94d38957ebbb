import { logIndex, nodeId, term, type RaftInput, type RaftStatus } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { member } from "../../../tests/support/members.ts";
import { Leadership } from "./leadership.ts";
import { ManualClock } from "./memory/manual-clock.ts";

interface Peer {
  readonly id: number;
  readonly at?: number;
  readonly isActive?: boolean;
}

function statusOf(peers: readonly Peer[], changes: Partial<RaftStatus> = {}): RaftStatus {
  return {
    id: nodeId(1),
    role: "leader",
    term: term(3),
    leader: nodeId(1),
    votedFor: nodeId(1),
    firstIndex: logIndex(1),
    lastIndex: logIndex(50),
    commitIndex: logIndex(50),
    appliedIndex: logIndex(50),
    persistedIndex: logIndex(50),
    membership: {
      voters: [1, 2, 3].map(nodeId),
      outgoingVoters: [],
      learners: [nodeId(4)],
      members: [member("a", 1), member("b", 2), member("c", 3), member("d", 4)],
    },
    isMembershipPending: false,
    uncommittedBytes: 0,
    memoryLogBytes: 0,
    transferringTo: null,
    hasLease: false,
    isDiskStuck: false,
    peers: peers.map(({ id, at = 50, isActive = true }) => ({
      id: nodeId(id),
      state: "replicate",
      matchIndex: logIndex(at),
      nextIndex: logIndex(at + 1),
      inflightEntries: 0,
      inflightBytes: 0,
      isFetching: false,
      recentlyActive: isActive,
    })),
    ...changes,
  };
}

function leadership(peers: readonly Peer[], priorities: Readonly<Record<number, number>> = {}) {
  const clock = new ManualClock();
  const asked: RaftInput[] = [];
  const state = { status: statusOf(peers), takesOver: true, full: [] as readonly number[] };
  const made = new Leadership({
    clock,
    status: () => state.status,
    step: (input) => {
      asked.push(input);
      if (input.kind === "transferLeadership" && state.takesOver) {
        const { to } = input;
        state.status = statusOf([], { role: "follower", term: term(4), leader: to });
      }
      return { ok: true, index: null };
    },
    priorityOf: (id) => priorities[id] ?? 100,
    ownPriority: 100,
    hasRoom: (id) => !state.full.includes(id),
  });
  /** Waits out what has been asked, in simulated time. */
  const settle = async <T>(work: Promise<T>): Promise<T> => {
    clock.advance(5_000);
    return work;
  };
  return { made, asked, state, settle };
}

describe("the successor", () => {
  const heir = (peers: readonly Peer[], priorities?: Readonly<Record<number, number>>) =>
    leadership(peers, priorities).made.successor(() => true);

  test("is the voter furthest along that is heard of", () => {
    expect(heir([{ id: 2, at: 40 }, { id: 3, at: 45 }, { id: 4 }])).toBe(3);
    expect(
      heir([
        { id: 2, at: 40 },
        { id: 3, isActive: false },
      ]),
    ).toBe(2);
    expect(heir([{ id: 3, isActive: false }, { id: 4 }])).toBeNull();
  });

  test("is the one with the highest priority of those that have everything", () => {
    expect(heir([{ id: 2 }, { id: 3 }], { 3: 200 })).toBe(3);
    expect(heir([{ id: 2 }, { id: 3 }], { 2: 200 })).toBe(2);
    expect(heir([{ id: 2 }, { id: 3, at: 49 }], { 3: 200 })).toBe(2);
    expect(heir([{ id: 2 }, { id: 3, at: 49 }], { 2: 0 })).toBe(2);
  });

  test("is chosen by a leader only", () => {
    const { made, state } = leadership([{ id: 2 }]);
    state.status = { ...state.status, role: "follower" };
    expect(made.successor(() => true)).toBeNull();
  });
});

describe("a transfer", () => {
  test("goes to the voter named, and ends when it leads", async () => {
    const { made, asked, settle } = leadership([{ id: 2 }, { id: 3 }]);
    expect(await settle(made.transfer("b"))).toBe("b");
    expect(asked).toEqual([{ kind: "transferLeadership", to: 2 }]);
  });

  test("goes to the successor where nobody is named", async () => {
    const { made, settle } = leadership([{ id: 2, at: 1 }, { id: 3 }]);
    expect(await settle(made.transfer(null))).toBe("c");
  });

  test("to the leader itself has nothing to do", async () => {
    const { made, asked } = leadership([{ id: 2 }]);
    expect(await made.transfer("a")).toBe("a");
    expect(asked).toEqual([]);
  });

  test.each([
    ["x", "MEMBER_UNKNOWN"],
    ["d", "TRANSFER_FAILED"],
    ["c", "TRANSFER_FAILED"],
  ])("to %s is refused with %s", async (name, code) => {
    const { made, asked } = leadership([{ id: 2 }, { id: 3, isActive: false }, { id: 4 }]);
    await expect(made.transfer(name)).rejects.toMatchObject({ code });
    expect(asked).toEqual([]);
  });

  test("fails where nobody takes over, and on a node that does not lead", async () => {
    const { made, state, settle } = leadership([{ id: 2 }]);
    state.takesOver = false;
    const failing = expect(settle(made.transfer("b"))).rejects;
    await failing.toMatchObject({ code: "TRANSFER_FAILED" });
    state.status = { ...state.status, role: "follower" };
    await expect(made.transfer("b")).rejects.toMatchObject({ code: "NOT_LEADER" });
  });

  test("at the end of a node tells whether somebody else leads", async () => {
    const { made, settle } = leadership([{ id: 2 }]);
    expect(await settle(made.handOver(1_000))).toBe(true);
    expect(await leadership([]).made.handOver(1_000)).toBe(false);
  });
});

describe("a leader whose disk is full", () => {
  test("lets a voter lead whose disk has room, at once", () => {
    const { made, asked, state } = leadership([{ id: 2 }, { id: 3 }, { id: 4 }], { 2: 200 });
    state.full = [1, 2];
    made.keep();
    expect(asked).toEqual([{ kind: "transferLeadership", to: 3 }]);
  });

  test("goes on leading where nobody else has room, and while leadership is on its way", () => {
    const { made, asked, state } = leadership([{ id: 2 }, { id: 3 }, { id: 4 }]);
    state.full = [1, 2, 3];
    made.keep();
    state.full = [1];
    state.status = { ...state.status, transferringTo: nodeId(2) };
    made.keep();
    expect(asked).toEqual([]);
  });
});

describe("a voter whose disk is full", () => {
  test("is the last that is chosen, and is not preferred", () => {
    const { made, asked, state } = leadership([{ id: 2 }, { id: 3 }], { 3: 200 });
    state.full = [3];
    expect(made.successor(() => true)).toBe(2);
    for (let look = 0; look < 60; look += 1) made.keep();
    expect(asked).toEqual([]);
  });

  test("is not asked to lead", async () => {
    const { made, asked, state } = leadership([{ id: 2 }, { id: 3 }]);
    state.full = [3];
    await expect(made.transfer("c")).rejects.toMatchObject({ code: "TRANSFER_FAILED" });
    expect(asked).toEqual([]);
  });
});

describe("a leader with a lower priority than another voter", () => {
  const looks = (made: Leadership, count: number): void => {
    for (let look = 0; look < count; look += 1) made.keep();
  };

  test("lets it lead once it has been well for a while", () => {
    const { made, asked } = leadership([{ id: 2 }, { id: 3 }], { 3: 101 });
    looks(made, 24);
    expect(asked).toEqual([]);
    looks(made, 1);
    expect(asked).toEqual([{ kind: "transferLeadership", to: 3 }]);
  });

  test("begins to count anew when it was not well in between", () => {
    const { made, asked, state } = leadership([{ id: 3 }], { 3: 101 });
    const well = state.status;
    looks(made, 24);
    state.status = statusOf([{ id: 3, isActive: false }]);
    looks(made, 1);
    state.status = well;
    looks(made, 24);
    expect(asked).toEqual([]);
  });

  test("waits twice as long after every offer that came to nothing", () => {
    const { made, asked, state } = leadership([{ id: 3 }], { 3: 101 });
    state.takesOver = false;
    for (const [offers, count] of [25, 50, 100, 200, 400, 800, 1_600, 1_600].entries()) {
      looks(made, count - 1);
      expect(asked).toHaveLength(offers);
      looks(made, 1);
      expect(asked).toHaveLength(offers + 1);
    }
  });

  test("trusts it again once it has led for a while, not for a moment", () => {
    const { made, asked, state } = leadership([{ id: 3 }], { 3: 101 });
    const leading = state.status;
    looks(made, 25);
    looks(made, 24);
    state.status = leading;
    looks(made, 49);
    expect(asked).toHaveLength(1);
    looks(made, 1);
    expect(asked).toHaveLength(2);
    looks(made, 25);
    state.status = leading;
    looks(made, 25);
    expect(asked).toHaveLength(3);
  });

  test("lets it lead under load, too, when it never has all that is committed", () => {
    const { made, asked, state } = leadership([], { 3: 101 });
    for (let committed = 51; committed <= 75; committed += 1) {
      expect(asked).toEqual([]);
      const peers = [{ id: 2 }, { id: 3, at: committed - 1 }];
      state.status = statusOf(peers, { commitIndex: logIndex(committed) });
      made.keep();
    }
    expect(asked).toEqual([{ kind: "transferLeadership", to: 3 }]);
  });

  test("takes the highest of those that are well", () => {
    const both = leadership([{ id: 2 }, { id: 3 }], { 2: 101, 3: 102 });
    looks(both.made, 25);
    expect(both.asked).toEqual([{ kind: "transferLeadership", to: 3 }]);
    const one = leadership([{ id: 2 }, { id: 3, at: 49 }], { 2: 101, 3: 102 });
    looks(one.made, 25);
    expect(one.asked).toEqual([{ kind: "transferLeadership", to: 2 }]);
  });

  test("counts each by itself: one that is well only now and then holds up nobody", () => {
    const { made, asked, state } = leadership([], { 2: 101, 3: 102 });
    for (let look = 0; look < 26; look += 1) {
      state.status = statusOf([{ id: 2 }, { id: 3, isActive: look % 2 === 0 }]);
      made.keep();
    }
    expect(asked).toEqual([{ kind: "transferLeadership", to: 2 }]);
  });

  test("keeps the lead from equals, from learners, and from who is behind", () => {
    for (const peers of [[{ id: 2 }], [{ id: 4 }], [{ id: 3, at: 49 }]]) {
      const { made, asked } = leadership(peers, { 3: 900, 4: 900 });
      looks(made, 60);
      expect(asked).toEqual([]);
    }
  });
});
