import {
  logIndex,
  nodeId,
  term,
  type NodeId,
  type RaftInput,
  type RaftStatus,
} from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { member } from "../../../tests/support/members.ts";
import { peerOf, statusOf } from "../../../tests/support/raft-status.ts";
import { Leadership } from "./leadership.ts";
import { SERVER_LIMITS } from "./limits.ts";
import { ManualClock } from "./memory/manual-clock.ts";

interface Peer {
  readonly id: number;
  readonly at?: number;
  readonly isActive?: boolean;
}

/** Of node 1, which leads beside two voters and a learner and hears of these. */
function leaderOf(peers: readonly Peer[], changes: Partial<RaftStatus> = {}): RaftStatus {
  return statusOf({
    membership: {
      voters: [1, 2, 3].map(nodeId),
      outgoingVoters: [],
      learners: [nodeId(4)],
      members: [member("a", 1), member("b", 2), member("c", 3), member("d", 4)],
    },
    peers: peers.map(({ id, at = 50, isActive = true }) =>
      peerOf(nodeId(id), { matchIndex: logIndex(at), recentlyActive: isActive }),
    ),
    ...changes,
  });
}

function leadership(peers: readonly Peer[], priorities: Readonly<Record<number, number>> = {}) {
  const clock = new ManualClock();
  const asked: RaftInput[] = [];
  const state = { status: leaderOf(peers), takesOver: true, full: [] as readonly number[] };
  const ports = {
    clock,
    status: () => state.status,
    step: (input: RaftInput) => {
      asked.push(input);
      if (input.kind === "transferLeadership" && state.takesOver) {
        const { to } = input;
        state.status = leaderOf([], { role: "follower", term: term(4), leader: to });
      }
      return { ok: true, index: null } as const;
    },
    priorityOf: (id: NodeId) => priorities[id] ?? 100,
    ownPriority: 100,
    hasRoom: (id: NodeId) => !state.full.includes(id),
  };
  const made = new Leadership(ports, SERVER_LIMITS.preference);
  /** Waits out what has been asked, in simulated time. */
  const settle = async <T>(work: Promise<T>): Promise<T> => {
    clock.advance(5_000);
    return work;
  };
  return { made, clock, asked, state, settle };
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

  test.each([
    [[1, 2, 3], "no other voter is heard of"],
    [[1], "this node is the only voter"],
  ])("of %j, with nobody to go to, says %s", async (voters, text) => {
    const { made, state } = leadership([]);
    const { membership } = state.status;
    state.status = leaderOf([], { membership: { ...membership, voters: voters.map(nodeId) } });
    await expect(made.transfer(null)).rejects.toThrow(text);
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

  test("goes on leading while who has room lags, and lets it lead once it does not", () => {
    const { made, asked, state } = leadership([{ id: 2 }, { id: 3, at: 40 }]);
    made.keep();
    state.full = [1, 2];
    for (let look = 0; look < 50; look += 1) made.keep();
    expect(asked).toEqual([]);
    // What is committed goes on: nobody ever has all of it.
    const peers = [{ id: 2 }, { id: 3, at: 50 }];
    state.status = leaderOf(peers, { commitIndex: logIndex(60) });
    made.keep();
    expect(asked).toEqual([{ kind: "transferLeadership", to: 3 }]);
  });

  test("chooses by priority, and among equals who is furthest along", () => {
    for (const [priorities, to] of [
      [{ 2: 20, 3: 30 }, 3],
      [{ 2: 30, 3: 20 }, 2],
      [{}, 3],
    ] as const) {
      const { made, asked, state } = leadership(
        [
          { id: 2, at: 50 },
          { id: 3, at: 51 },
        ],
        priorities,
      );
      state.full = [1];
      made.keep();
      expect(asked).toEqual([{ kind: "transferLeadership", to }]);
    }
  });

  test("waits twice as long after every hand-over that came to nothing, up to five minutes", () => {
    const { made, asked, state, clock } = leadership([{ id: 3 }]);
    state.full = [1, 2];
    state.takesOver = false;
    made.keep();
    expect(asked).toHaveLength(1);
    for (const seconds of [10, 20, 40, 80, 160, 300, 300]) {
      const before = asked.length;
      for (let passed = 0; passed < seconds; passed += 1) {
        made.keep();
        clock.advance(1_000);
      }
      expect(asked).toHaveLength(before);
      made.keep();
      expect(asked).toHaveLength(before + 1);
    }
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
  const LOOK_MS = 200;
  const toThree = { kind: "transferLeadership", to: 3 };

  /** Looks until that long has passed. */
  function watched(peers: readonly Peer[], priorities: Readonly<Record<number, number>>) {
    const lab = leadership(peers, priorities);
    const watch = (ms: number): void => {
      for (let passed = 0; passed < ms; passed += LOOK_MS) {
        lab.made.keep();
        lab.clock.advance(LOOK_MS);
      }
    };
    return { ...lab, watch };
  }

  test("lets it lead once it has been well for five seconds", () => {
    const { asked, watch } = watched([{ id: 2 }, { id: 3 }], { 3: 101 });
    watch(5_000);
    expect(asked).toEqual([]);
    watch(LOOK_MS);
    expect(asked).toEqual([toThree]);
  });

  test("begins to count anew when it was not well in between", () => {
    const { asked, state, watch } = watched([{ id: 3 }], { 3: 101 });
    const well = state.status;
    watch(5_000);
    state.status = leaderOf([{ id: 3, isActive: false }]);
    watch(LOOK_MS);
    state.status = well;
    watch(5_000);
    expect(asked).toEqual([]);
  });

  test("lets it lead under load, too, when it never has all that is committed", () => {
    const { made, asked, state, clock } = watched([], { 3: 101 });
    for (let committed = 51; committed <= 76; committed += 1) {
      expect(asked).toEqual([]);
      const peers = [{ id: 2 }, { id: 3, at: committed - 1 }];
      state.status = leaderOf(peers, { commitIndex: logIndex(committed) });
      made.keep();
      clock.advance(LOOK_MS);
    }
    expect(asked).toEqual([toThree]);
  });

  test("takes the highest of those that are well", () => {
    const both = watched([{ id: 2 }, { id: 3 }], { 2: 101, 3: 102 });
    both.watch(5_200);
    expect(both.asked).toEqual([toThree]);
    const one = watched([{ id: 2 }, { id: 3, at: 49 }], { 2: 101, 3: 102 });
    one.watch(5_200);
    expect(one.asked).toEqual([{ kind: "transferLeadership", to: 2 }]);
  });

  test("counts each by itself: one that is well only now and then holds up nobody", () => {
    const { asked, state, watch } = watched([], { 2: 101, 3: 102 });
    for (let look = 0; look < 27; look += 1) {
      state.status = leaderOf([{ id: 2 }, { id: 3, isActive: look % 2 === 0 }]);
      watch(LOOK_MS);
    }
    expect(asked).toEqual([{ kind: "transferLeadership", to: 2 }]);
  });

  test("waits twice as long after every offer that was not taken, up to five minutes", () => {
    const { asked, state, watch } = watched([{ id: 3 }], { 3: 101 });
    state.takesOver = false;
    watch(5_200);
    for (const seconds of [10, 20, 40, 80, 160, 300, 300]) {
      const before = asked.length;
      watch(seconds * 1_000);
      expect(asked).toHaveLength(before);
      watch(LOOK_MS);
      expect(asked).toHaveLength(before + 1);
    }
  });

  test("waits as well after a lead that did not last, whoever had offered it", () => {
    const { asked, state, watch } = watched([{ id: 3 }], { 3: 101 });
    const leading = state.status;
    const following = leaderOf([], { role: "follower", leader: nodeId(3) });
    for (const seconds of [10, 20, 40]) {
      state.status = following;
      watch(8_000);
      state.status = leading;
      state.takesOver = true;
      const before = asked.length;
      watch(seconds * 1_000);
      expect(asked).toHaveLength(before);
    }
  });

  test("trusts it again once it has led for a minute", () => {
    const { asked, state, watch } = watched([{ id: 3 }], { 3: 101 });
    const leading = state.status;
    const following = leaderOf([], { role: "follower", leader: nodeId(3) });
    for (const ms of [8_000, 61_000]) {
      state.status = following;
      watch(ms);
      state.status = leading;
      watch(LOOK_MS);
    }
    watch(5_000);
    expect(asked).toEqual([toThree]);
  });

  test("keeps the lead from equals, from learners, and from who is behind", () => {
    for (const peers of [[{ id: 2 }], [{ id: 4 }], [{ id: 3, at: 49 }]]) {
      const { asked, watch } = watched(peers, { 3: 900, 4: 900 });
      watch(12_000);
      expect(asked).toEqual([]);
    }
  });
});
