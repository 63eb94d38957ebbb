import { nodeId, type Membership, type NodeId } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { DiskHealth } from "./disk-health.ts";
import { DiskWatch } from "./disk-watch.ts";
import { MemoryFiles } from "./memory/memory-files.ts";
import type { Logger } from "./observe/logger.ts";

const SELF = nodeId(1);
const [B, C] = [nodeId(2), nodeId(3)];

class Disk extends MemoryFiles {
  freeBytes = 5_000;

  override space(): Promise<{ freeBytes: number; totalBytes: number }> {
    return Promise.resolve({ freeBytes: this.freeBytes, totalBytes: 10_000 });
  }
}

function membershipOf(voters: readonly number[], outgoing: readonly number[] = []): Membership {
  return {
    voters: voters.map(nodeId),
    outgoingVoters: outgoing.map(nodeId),
    learners: [],
    members: voters.map((id) => ({
      id: nodeId(id),
      name: `n${id}`,
      peerAddress: `10.0.0.${id}:1`,
      clientAddress: `10.0.0.${id}:2`,
      promotion: { kind: "none" },
    })),
  };
}

function setUp(membership = membershipOf([1, 2, 3])) {
  const disk = new Disk();
  const lines: string[] = [];
  const told: string[] = [];
  const none: readonly NodeId[] = [];
  const waits = { isWaiting: false, isOutOfFiles: false, isStuck: false };
  const state = { ...waits, unreachable: none, gone: none, failures: 0 };
  const line =
    (level: string) =>
    (_fields: object, text: string): void =>
      void lines.push(`${level}: ${text}`);
  const logger: Logger = {
    debug: line("debug"),
    info: line("info"),
    warn: line("warn"),
    error: line("error"),
    child: () => logger,
  };
  const health = new DiskHealth({
    self: SELF,
    watch: new DiskWatch(disk, "/data", { freeBytesMin: 1_000, reserveBytes: 200 }),
    logger,
    membership: () => membership,
    isPeer: (id) => !state.gone.includes(id),
    isWaiting: () => state.isWaiting,
    isOutOfFiles: () => state.isOutOfFiles,
    isStuck: () => state.isStuck,
    onStanding: (why) => void told.push(`clients: ${why}`),
    tell: (peer, room) => {
      if (state.unreachable.includes(peer)) {
        state.failures += 1;
        return false;
      }
      told.push(`${peer} ${room}`);
      return true;
    },
  });
  const look = async (freeBytes: number): Promise<void> => {
    disk.freeBytes = freeBytes;
    health.onTick(500);
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    health.onTick(10);
  };
  return { health, lines, told, state, look };
}

describe("a node's disk", () => {
  test("that is full is said once, to people and to all peers, and so is its end", async () => {
    const { health, lines, told, look } = setUp();
    await look(5_000);
    expect([lines, told, health.notReady()]).toEqual([[], [], []]);
    await look(900);
    await look(900);
    expect(lines).toEqual(["warn: the disk is full: others lead if they can"]);
    expect(told).toEqual(["2 little", "3 little"]);
    expect(health.notReady()).toEqual(["the disk is full"]);
    expect(health.hasRoom(SELF)).toBe(false);
    await look(5_000);
    expect(lines.slice(1)).toEqual(["info: the disk has room again"]);
    expect(told.slice(2)).toEqual(["2 enough", "3 enough"]);
    expect(health.hasRoom(SELF)).toBe(true);
  });

  test("is told to whoever could not be told, and on every new link", async () => {
    const { health, told, state, look } = setUp();
    state.unreachable = [C];
    await look(900);
    await look(900);
    expect(told).toEqual(["2 little"]);
    state.unreachable = [];
    await look(900);
    expect(told).toEqual(["2 little", "3 little"]);
    health.onPeerUp(B);
    await look(900);
    expect(told.slice(2)).toEqual(["2 little"]);
  });

  test("that has room again is so for a node that is not known for a member yet, too", async () => {
    const { health, told, look } = setUp(membershipOf([1, 2]));
    await look(900);
    health.onPeerUp(C);
    expect(told).toEqual(["2 little", "3 little"]);
    await look(5_000);
    expect(told.slice(2)).toEqual(["2 enough", "3 enough"]);
    await look(900);
    expect(told.slice(4)).toEqual(["2 little"]);
  });

  test("is told no more to a node that is gone for good", async () => {
    const { health, told, state, look } = setUp();
    state.unreachable = [C];
    await look(900);
    await look(900);
    for (let tick = 0; tick < 100; tick += 1) health.onTick(10);
    const { failures } = state;
    expect(failures).toBeGreaterThan(10);
    state.gone = [C];
    for (let tick = 0; tick < 100; tick += 1) health.onTick(10);
    expect(state.failures).toBe(failures);
    state.unreachable = [];
    state.gone = [];
    for (let tick = 0; tick < 100; tick += 1) health.onTick(10);
    expect(told).toEqual(["2 little"]);
  });

  test("has no part in it that no more files may be opened, which is said all the same", async () => {
    const { health, lines, told, state, look } = setUp();
    state.isOutOfFiles = true;
    await look(5_000);
    expect(health.notReady()).toEqual(["no more files may be opened"]);
    expect([health.isStanding, health.hasRoom(SELF), told]).toEqual([false, true, []]);
    state.isOutOfFiles = false;
    await look(5_000);
    expect(health.notReady()).toEqual([]);
    expect(lines).toEqual([
      expect.stringMatching(/^error: no more files may be opened: .*ulimit -n/),
      "info: files can be opened again",
    ]);
  });

  test.each([
    {
      what: "isWaiting",
      reason: "the log waits for room on the disk",
      farewell: "the disk of this server is full",
      line: "the disk is full: the log waits for room",
    },
    {
      what: "isStuck",
      reason: "the disk does not answer",
      farewell: "the disk of this server does not answer",
      line: "the disk does not answer: clients are sent elsewhere",
    },
  ] as const)(
    "that keeps the log from going on ($what) is said once, and its clients are sent away",
    async ({ what, reason, farewell, line }) => {
      const { health, lines, told, state, look } = setUp();
      expect(health.isStanding).toBe(false);
      state[what] = true;
      await look(5_000);
      await look(5_000);
      expect(health.isStanding).toBe(true);
      expect(told).toEqual([`clients: ${farewell}`]);
      expect(health.notReady()).toEqual([reason]);
      state[what] = false;
      await look(5_000);
      expect(health.isStanding).toBe(false);
      expect(lines).toEqual([`error: ${line}`, "info: the log goes on"]);
    },
  );

  test("has as many free bytes as were last seen, full or not, and before that no end of them", async () => {
    const { health, look } = setUp();
    expect(health.freeBytes).toBe(Number.MAX_SAFE_INTEGER);
    for (const freeBytes of [5_000, 900]) {
      await look(freeBytes);
      expect(health.freeBytes).toBe(freeBytes);
    }
  });
});

describe("a peer's disk", () => {
  test("that is full is remembered, however many of nodes that are gone were so before", () => {
    const { health, state } = setUp();
    const former = Array.from({ length: 64 }, (_, at) => nodeId(100 + at));
    for (const peer of former) health.onPeerDisk(peer, "little");
    state.gone = former;
    health.onPeerDisk(B, "little");
    expect([health.hasRoom(B), health.hasRoom(C)]).toEqual([false, true]);
  });

  test("is not remembered of more peers than there can be", () => {
    const { health } = setUp();
    const peers = Array.from({ length: 65 }, (_, at) => nodeId(100 + at));
    for (const peer of peers) health.onPeerDisk(peer, "little");
    expect(peers.filter((peer) => health.hasRoom(peer))).toEqual(peers.slice(64));
  });
});

describe("what grows the tree", () => {
  test("is refused while no majority of the voters has room", async () => {
    const { health, look } = setUp();
    await look(900);
    expect(health.refusesGrowth()).toBe(false);
    health.onPeerDisk(B, "little");
    expect(health.refusesGrowth()).toBe(true);
    health.onPeerDisk(B, "enough");
    expect(health.refusesGrowth()).toBe(false);
    await look(5_000);
    for (const peer of [B, C]) health.onPeerDisk(peer, "little");
    expect(health.refusesGrowth()).toBe(true);
  });

  test("is refused with all sessions once no majority has room for those", async () => {
    const { health, lines, told, look } = setUp();
    await look(900);
    health.onPeerDisk(B, "none");
    expect([health.refusesGrowth(), health.refusesSessions()]).toEqual([true, false]);
    await look(500);
    expect([health.refusesGrowth(), health.refusesSessions()]).toEqual([true, true]);
    expect(told.slice(2)).toEqual(["2 none", "3 none"]);
    expect(lines).toHaveLength(1);
    health.onPeerDisk(B, "little");
    expect(health.refusesSessions()).toBe(false);
  });

  test("needs room with both majorities during a change", () => {
    const { health } = setUp(membershipOf([1, 2, 3], [1, 4, 5]));
    health.onPeerDisk(nodeId(4), "little");
    expect(health.refusesGrowth()).toBe(false);
    health.onPeerDisk(nodeId(5), "little");
    expect(health.refusesGrowth()).toBe(true);
  });

  test("in an ensemble of one or two needs every disk", async () => {
    const alone = setUp(membershipOf([1]));
    await alone.look(900);
    expect(alone.health.refusesGrowth()).toBe(true);
    const { health } = setUp(membershipOf([1, 2]));
    health.onPeerDisk(B, "little");
    expect(health.refusesGrowth()).toBe(true);
  });
});
