import { DataTree, TREE_LIMITS } from "@quorate/kv-store";
import { zxid } from "@quorate/kv-store/protocol";
import { logIndex, nodeId, term, type RaftInput, type SnapshotMeta } from "@quorate/raft";
import { describe, expect, test, vi } from "vitest";
import { loneMembership, membershipOf } from "../../../../tests/support/members.ts";
import type { Applier } from "../applier.ts";
import { ServerError } from "../errors.ts";
import { ManualClock } from "../memory/manual-clock.ts";
import { MemoryFiles } from "../memory/memory-files.ts";
import { MemoryImageStores } from "../memory/memory-image-stores.ts";
import type { NodeStorage } from "../node-storage.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { PeerEnvelope } from "../peer/envelope.ts";
import { Checkpointer } from "./checkpointer.ts";
import { NodeSnapshots } from "./node-snapshots.ts";
import { recordsChecksum } from "./records-checksum.ts";

const LEADER = nodeId(1);
const INDEX = logIndex(50);
const META: SnapshotMeta = {
  index: INDEX,
  term: term(1),
  membership: loneMembership(LEADER),
};

async function setUp(self = LEADER, membership = META.membership) {
  const files = new MemoryFiles();
  await files.makeDirectory("/data");
  const stores = new MemoryImageStores(files);
  const clock = new ManualClock();
  const own = await stores.open("/data/own", { create: true });
  const storage = {
    image: own,
    createImage: async () => {
      return { image: await stores.open("/data/new", { create: true }), directory: "new" };
    },
    discardImage: vi.fn(async () => undefined),
    stage: vi.fn(),
    unstage: vi.fn(async () => undefined),
    install: vi.fn(),
    trim: vi.fn(async () => undefined),
  };
  const tree = new DataTree(TREE_LIMITS);
  tree.skipTo(zxid(9));
  const applier = {
    tree,
    appliedIndex: logIndex(9),
    appliedTerm: term(1),
    bytesSinceCheckpoint: 0,
    entriesSinceCheckpoint: 0,
    noteCheckpoint: vi.fn(),
    install: vi.fn(),
  };
  const counters = { checkpoints: 0, snapshotsReceived: 0, snapshotsSent: 0 };
  const state = { isInstalling: false, freeBytes: 1_000_000 };
  const pushed: RaftInput[] = [];
  const acks: boolean[] = [];
  const fatal = vi.fn();
  const failed = vi.fn();
  const snapshots = new NodeSnapshots({
    ...{ clock, limits: TREE_LIMITS, clusterId: "c", historyId: "h" },
    ...{ self, firstTransfer: 1, checkpointIndex: 0 },
    storageLimits: {
      checkpointBytes: 1000,
      checkpointEntries: 50,
      checkpointTurnRecords: 8_192,
      snapshotPieceBytes: 65_536,
      backupPieceBytes: 65_536,
    },
    storage: storage as unknown as NodeStorage,
    metrics: { counters } as unknown as Metrics,
    applier: () => applier as unknown as Applier,
    status: () => ({
      firstIndex: logIndex(state.isInstalling ? INDEX + 1 : 1),
      appliedIndex: logIndex(9),
    }),
    freeBytes: () => state.freeBytes,
    hasSpareRoom: () => true,
    failed,
    suspected: () => undefined,
    membership: () => membership,
    send: (_to, envelope) => {
      if (envelope.kind === "snapshotAck") acks.push(envelope.ok);
    },
    push: (input) => void pushed.push(input),
    fatal,
  });
  return { clock, storage, applier, counters, state, pushed, acks, fatal, failed, snapshots };
}

const DAMAGE = new ServerError("IMAGE_CORRUPT", "a value changed on disk");

/** The image holds everything. */
async function setUpForViews() {
  const made = await setUp();
  made.state.freeBytes = 1e9;
  await (await made.snapshots.openView()).close();
  return made;
}

/** A whole small snapshot at {@link INDEX}. */
async function chunks(): Promise<readonly Extract<PeerEnvelope, { kind: "snapshotChunk" }>[]> {
  const files = new MemoryFiles();
  await files.makeDirectory("/data");
  const image = await new MemoryImageStores(files).open("/data/x", { create: true });
  const tree = new DataTree(TREE_LIMITS);
  tree.skipTo(zxid(INDEX));
  const clock = new ManualClock();
  await new Checkpointer({ clock, clusterId: "c", historyId: "h" }).run(tree, image, META);
  const records = await image.view().next(1000, 1_000_000);
  const message = {
    kind: "installSnapshot",
    from: LEADER,
    to: nodeId(2),
    term: term(1),
    snapshot: META,
  } as const;
  const checksum = recordsChecksum(records, 0);
  const common = { kind: "snapshotChunk", transfer: 1, checksum } as const;
  return [
    { ...common, sequence: 1, header: { meta: META, message }, records, last: false },
    { ...common, sequence: 2, header: null, records: [], last: true },
  ];
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 300; turn += 1) await Promise.resolve();
}

async function received() {
  const made = await setUp();
  for (const chunk of await chunks()) made.snapshots.onEnvelope(LEADER, chunk);
  await settled();
  return made;
}

async function givenUpAfterOneSecond({
  clock,
  storage,
}: Awaited<ReturnType<typeof received>>): Promise<void> {
  clock.advance(999);
  await settled();
  expect(storage.unstage).not.toHaveBeenCalled();
  clock.advance(1);
  await settled();
  expect(storage.unstage).toHaveBeenCalledOnce();
}

describe("a received snapshot", () => {
  test("is staged before the core hears of it, and acknowledged once it is in force", async () => {
    const { snapshots, storage, pushed, acks, applier, clock, fatal } = await received();
    expect(pushed).toMatchObject([{ kind: "message", message: { kind: "installSnapshot" } }]);
    expect(storage.stage).toHaveBeenCalledOnce();
    expect(acks).toEqual([true]);
    snapshots.install(META);
    await settled();
    expect(acks).toEqual([true, true]);
    expect(applier.install).toHaveBeenCalledWith(expect.any(DataTree), INDEX, META.term);
    expect(storage.install).toHaveBeenCalledOnce();
    expect(snapshots.checkpointIndex).toBe(INDEX);
    expect(clock.nextDueMs()).toBeNull();
    expect(fatal).not.toHaveBeenCalled();
  });

  test("is given up in time when the core has no use for it", async () => {
    const made = await received();
    await givenUpAfterOneSecond(made);
    expect(made.acks).toEqual([true, true]);
  });

  test("is kept until the core has heard of it, however long the process stands still before", async () => {
    const made = await received();
    made.clock.stall(5_000);
    made.clock.finishTurn();
    expect(made.clock.nextDueMs()).toBe(6_000);
    await givenUpAfterOneSecond(made);
  });

  test("is kept as long as the core waits for a slow disk", async () => {
    const { clock, storage, state, snapshots, fatal } = await received();
    state.isInstalling = true;
    clock.advance(30_000);
    await settled();
    expect(storage.unstage).not.toHaveBeenCalled();
    snapshots.install(META);
    await settled();
    expect(storage.install).toHaveBeenCalledOnce();
    expect(fatal).not.toHaveBeenCalled();
  });

  test("does not hold up a stop, and leaves no timer", async () => {
    const { snapshots, storage, clock } = await received();
    await snapshots.stop();
    expect(storage.unstage).toHaveBeenCalledOnce();
    expect(clock.nextDueMs()).toBeNull();
  });

  test("other than the one in hand cannot be installed", async () => {
    const { snapshots } = await received();
    expect(() => snapshots.install({ ...META, index: logIndex(51) })).toThrow("IMAGE_CORRUPT");
  });
});

describe("the checkpoints of a node", () => {
  test("follow the bytes applied, and let the log be trimmed once they stand", async () => {
    const { snapshots, applier, storage, pushed } = await setUp();
    applier.bytesSinceCheckpoint = 1000;
    snapshots.onApplied();
    await settled();
    expect(pushed).toEqual([]);
    applier.bytesSinceCheckpoint = 1001;
    snapshots.onApplied();
    snapshots.onApplied();
    await settled();
    expect(pushed).toEqual([
      {
        kind: "compact",
        snapshot: { index: 9, term: 1, membership: META.membership },
      },
    ]);
    expect(storage.trim).toHaveBeenCalledWith(9, null);
    expect(applier.noteCheckpoint).toHaveBeenCalledOnce();
    expect(snapshots.checkpointIndex).toBe(9);
  });

  test("wait while the disk has no room for them", async () => {
    const { snapshots, applier, storage, state } = await setUp();
    applier.bytesSinceCheckpoint = 1001;
    state.freeBytes = 3002;
    snapshots.onApplied();
    await settled();
    expect(storage.trim).not.toHaveBeenCalled();
    state.freeBytes = 3003;
    snapshots.onApplied();
    await settled();
    expect(storage.trim).toHaveBeenCalledOnce();
  });

  test("that a view needs are refused to it while the disk has no room for them", async () => {
    const { snapshots, applier, storage, state, fatal } = await setUp();
    const MIB = 1_048_576;
    for (const [bytesSinceCheckpoint, needed] of [
      [100, 64 * MIB],
      [30 * MIB, 90 * MIB],
    ] as const) {
      applier.bytesSinceCheckpoint = bytesSinceCheckpoint;
      state.freeBytes = needed - 1;
      await expect(snapshots.openView()).rejects.toMatchObject({ code: "STORAGE_FULL" });
    }
    expect(applier.noteCheckpoint).not.toHaveBeenCalled();
    state.freeBytes = 90 * MIB;
    await (await snapshots.openView()).close();
    expect(storage.trim).toHaveBeenCalledOnce();
    expect(fatal).not.toHaveBeenCalled();
  });

  test("are not needed by a view of an image that is up to date, nor by one that waits for one under way", async () => {
    const { snapshots, applier, state } = await setUp();
    applier.bytesSinceCheckpoint = 1001;
    snapshots.onApplied();
    state.freeBytes = 0;
    for (let view = 0; view < 2; view += 1) await (await snapshots.openView()).close();
    expect(applier.noteCheckpoint).toHaveBeenCalledOnce();
  });

  test("are made when they are asked for, and the core hears of them", async () => {
    const { snapshots, state, pushed, counters } = await setUp();
    state.freeBytes = 0;
    await expect(snapshots.bringUpToDate()).rejects.toMatchObject({ code: "STORAGE_FULL" });
    expect(pushed).toEqual([]);
    state.freeBytes = 1e9;
    for (let time = 0; time < 2; time += 1) await snapshots.bringUpToDate();
    expect(pushed).toMatchObject([{ kind: "compact", snapshot: { index: 9 } }]);
    expect(counters.checkpoints).toBe(1);
  });

  test("give damage away to the node that is read from, once, and are not made while that is mended", async () => {
    const { snapshots, storage, failed } = await setUpForViews();
    const fails = async (): Promise<never> => Promise.reject(DAMAGE);
    vi.spyOn(storage.image, "view").mockReturnValue({ next: fails, close: async () => undefined });
    const view = await snapshots.openView();
    failed.mockImplementation(() => snapshots.markImageDamaged());
    for (let time = 0; time < 2; time += 1) {
      await expect(view.next(1, 1)).rejects.toThrow(DAMAGE);
      expect(failed).toHaveBeenCalledExactlyOnceWith(DAMAGE);
    }
    await expect(snapshots.openView()).rejects.toMatchObject({ code: "OVERLOADED" });
  });

  test("say nothing of damage to an image that was replaced since", async () => {
    const { snapshots, storage, failed } = await setUpForViews();
    const fails = async (): Promise<never> => Promise.reject(DAMAGE);
    vi.spyOn(storage.image, "view").mockReturnValue({ next: fails, close: async () => undefined });
    const view = await snapshots.openView();
    storage.image = (await storage.createImage()).image;
    await expect(view.next(1, 1)).rejects.toThrow(DAMAGE);
    expect(failed).not.toHaveBeenCalled();
  });

  test("that cannot even begin for damage give it away too", async () => {
    const { snapshots, storage, failed } = await setUpForViews();
    vi.spyOn(storage.image, "view").mockImplementation(() => {
      throw DAMAGE;
    });
    await expect(snapshots.openView()).rejects.toThrow(DAMAGE);
    expect(failed).toHaveBeenCalledExactlyOnceWith(DAMAGE);
  });

  test("come earlier where there is little room, while they fit", async () => {
    const { snapshots, applier, storage, state } = await setUp();
    state.freeBytes = 1000;
    applier.bytesSinceCheckpoint = 125;
    snapshots.onApplied();
    applier.bytesSinceCheckpoint = 166;
    snapshots.onApplied();
    await settled();
    expect(storage.trim).not.toHaveBeenCalled();
    applier.bytesSinceCheckpoint = 167;
    snapshots.onApplied();
    await settled();
    expect(storage.trim).toHaveBeenCalledOnce();
  });

  test("follow the number of entries too, however small they are", async () => {
    const { snapshots, applier } = await setUp();
    applier.entriesSinceCheckpoint = 50;
    snapshots.onApplied();
    await settled();
    expect(applier.noteCheckpoint).not.toHaveBeenCalled();
    applier.entriesSinceCheckpoint = 51;
    snapshots.onApplied();
    await settled();
    expect(applier.noteCheckpoint).toHaveBeenCalledOnce();
  });

  test("begin one member after the other", async () => {
    const three = membershipOf([3, 5, 9]);
    for (const [id, share] of [
      [3, 1 / 3],
      [5, 2 / 3],
      [9, 1],
    ] as const) {
      const { snapshots, applier } = await setUp(nodeId(id), three);
      const upTo = async (entries: number): Promise<number> => {
        applier.entriesSinceCheckpoint = entries;
        snapshots.onApplied();
        await settled();
        return applier.noteCheckpoint.mock.calls.length;
      };
      expect(await upTo(Math.floor(50 * share))).toBe(0);
      expect(await upTo(Math.floor(50 * share) + 1)).toBe(1);
      expect(await upTo(50)).toBe(1);
      expect(await upTo(51)).toBe(2);
    }
  });

  test("leave the log that a peer will need once it has its snapshot", async () => {
    const { snapshots, applier, storage } = await setUp();
    applier.bytesSinceCheckpoint = 2000;
    snapshots.onApplied();
    await settled();
    const message = { from: nodeId(2), to: LEADER, term: term(1), snapshot: META } as const;
    snapshots.transfer({ kind: "installSnapshot", ...message });
    await settled();
    applier.tree.skipTo(zxid(12));
    applier.appliedIndex = logIndex(12);
    snapshots.onApplied();
    await settled();
    expect(storage.trim).toHaveBeenLastCalledWith(12, 9);
  });

  test("of an image that was replaced meanwhile are nobody's business", async () => {
    const { snapshots, applier, storage, pushed, fatal } = await setUp();
    applier.bytesSinceCheckpoint = 2000;
    snapshots.onApplied();
    storage.image = null as never;
    await settled();
    expect(pushed).toEqual([]);
    expect(storage.trim).not.toHaveBeenCalled();
    expect(fatal).not.toHaveBeenCalled();
  });

  test("that fail are told of", async () => {
    const { snapshots, applier, storage, failed } = await setUp();
    await storage.image.close();
    applier.bytesSinceCheckpoint = 2000;
    snapshots.onApplied();
    await settled();
    expect(failed).toHaveBeenCalledOnce();
  });
});
