import type { DataTree } from "@quorate/kv-store";
import { sessionId, writeSeq, zxid } from "@quorate/kv-store/protocol";
import type { RaftInput } from "@quorate/raft";
import { describe, expect, test, vi } from "vitest";
import { loneMembership } from "../../../../tests/support/members.ts";
import {
  closeNode,
  crashDuring,
  DIRECTORY,
  entries,
  IDS,
  metaAt,
  newDisk,
  NodeClock,
  openNode,
  persist,
  receive,
  type NodeDisk,
} from "../../../../tests/support/node-disk.ts";
import type { Applier } from "../applier.ts";
import { ServerError } from "../errors.ts";
import { NodeStorage } from "../node-storage.ts";
import type { Metrics } from "../observe/metrics.ts";
import { IdentityFile } from "../storage/identity.ts";
import { NodeSnapshots } from "./node-snapshots.ts";

const FREE_BYTES = 1_000_000_000;

/** One session, and znodes as new as the log's entries from 2 to `last`. */
function grow(tree: DataTree, last: number): void {
  const stamp = { timeMs: 1, clockMs: 1 };
  const attach = { node: 1, address: "", principal: "", clientName: "" };
  tree.apply(zxid(1), 2, stamp, {
    ...{ kind: "openSession", verifier: new Uint8Array(16), timeoutMs: 5000, attach },
  });
  for (let at = 2; at <= last; at += 1) {
    tree.apply(zxid(at), 2, stamp, {
      ...{ kind: "write", session: sessionId(1), writeSeq: writeSeq(at - 1) },
      ...{ ackedSeq: at === 2 ? 0 : writeSeq(at - 2), epoch: 0 },
      ops: [{ kind: "create", path: `/${at}`, data: new Uint8Array(300), mode: "persistent" }],
    });
  }
}

async function setUp(disk: NodeDisk = newDisk()) {
  const opened = await openNode(disk);
  const { storage, tree } = opened;
  const last = 20;
  await persist(storage, entries(1, last));
  grow(tree, last);
  const { index, term } = metaAt(last);
  const applier = {
    ...{ tree, appliedIndex: index, appliedTerm: term },
    ...{ bytesSinceCheckpoint: 0, entriesSinceCheckpoint: 0 },
    noteCheckpoint: vi.fn(),
    install: vi.fn(),
  };
  const state = { freeBytes: FREE_BYTES };
  const pushed: RaftInput[] = [];
  const failed = vi.fn();
  const snapshots = new NodeSnapshots({
    ...{
      clock: new NodeClock(),
      limits: tree.limits,
      ...IDS,
      self: opened.identity.current.nodeId,
    },
    ...{ firstTransfer: 1, checkpointIndex: 0, storage },
    storageLimits: {
      ...{ checkpointBytes: 1000, checkpointEntries: 50, checkpointTurnRecords: 8_192 },
      ...{ snapshotPieceBytes: 65_536, backupPieceBytes: 65_536 },
    },
    metrics: { counters: { checkpoints: 0, snapshotsReceived: 0 } } as unknown as Metrics,
    applier: () => applier as unknown as Applier,
    status: () => ({ firstIndex: index, appliedIndex: index }),
    freeBytes: () => state.freeBytes,
    hasSpareRoom: () => true,
    membership: () => loneMembership(5),
    send: () => undefined,
    push: (input) => void pushed.push(input),
    failed,
    suspected: () => undefined,
    fatal: failed,
  });
  return { disk, opened, storage, tree, snapshots, state, pushed, failed, last };
}

/** Changes a value behind the image's back. */
async function damage(storage: NodeStorage, key: string): Promise<void> {
  const batch = storage.image.batch();
  batch.delete(key);
  await batch.write();
}

function renew(snapshots: NodeSnapshots): Promise<void> {
  snapshots.markImageDamaged();
  return snapshots.renewImage();
}

async function checkpointed(made: Awaited<ReturnType<typeof setUp>>): Promise<void> {
  const view = await made.snapshots.openView();
  await view.close();
}

describe("a damaged image", () => {
  test("is written anew from memory, and the node starts from the new one", async () => {
    const made = await setUp();
    await checkpointed(made);
    const { storage, tree, snapshots, disk, pushed, last } = made;
    await damage(storage, "n/7");
    await expect(storage.scrub(async () => undefined)).rejects.toMatchObject({
      code: "IMAGE_CORRUPT",
    });
    const old = storage.image;
    await renew(snapshots);
    expect(storage.image).not.toBe(old);
    expect(snapshots.checkpointIndex).toBe(last);
    expect(pushed.at(-1)).toMatchObject({ kind: "compact", snapshot: { index: last } });
    await storage.scrub(async () => undefined);
    const digest = tree.digest();
    await snapshots.stop();
    await closeNode(made.opened);
    const again = await openNode(disk);
    expect(again.tree.digest()).toBe(digest);
    expect(again.initial).toMatchObject({ snapshot: { index: last }, entries: [] });
    expect((await disk.files.list(DIRECTORY)).filter((name) => name.startsWith("image-"))).toEqual([
      "image-2",
    ]);
    await closeNode(again);
  });

  test("is not written to any more, and is kept, until there is room for a new one", async () => {
    const made = await setUp();
    await checkpointed(made);
    const { storage, snapshots, state, disk } = made;
    state.freeBytes = 1000;
    await expect(renew(snapshots)).rejects.toMatchObject({ code: "STORAGE_FULL" });
    const batch = vi.spyOn(storage.image, "batch");
    snapshots.onApplied();
    expect(batch).not.toHaveBeenCalled();
    expect(disk.files.namesIn(DIRECTORY)).not.toContain("image-2");
    state.freeBytes = FREE_BYTES;
    await renew(snapshots);
    await storage.scrub(async () => undefined);
    await snapshots.stop();
    await closeNode(made.opened);
  });

  test("leaves nothing behind of a new one that could not be put in force, and is tried again", async () => {
    const made = await setUp();
    await checkpointed(made);
    const { storage, snapshots, disk, failed } = made;
    const { createImage } = NodeStorage.prototype;
    const closed = vi.fn();
    vi.spyOn(storage, "createImage").mockImplementationOnce(async () => {
      const created = await createImage.call(storage);
      const { close } = created.image;
      created.image.close = () => close.call(created.image).then(closed);
      return created;
    });
    const error = new ServerError("STORAGE_FAILED", "planned");
    disk.files.setOnStep(({ operation, path, phase }) => {
      const isDue = operation === "syncDirectory" && path === DIRECTORY && phase === "before";
      return isDue ? Promise.reject(error) : null;
    });
    await expect(renew(snapshots)).rejects.toBe(error);
    disk.files.setOnStep(null);
    expect(closed).toHaveBeenCalledOnce();
    expect(disk.files.namesIn(DIRECTORY)).not.toContain("image-2");
    expect(failed).not.toHaveBeenCalled();
    await snapshots.renewImage();
    expect(snapshots.isImageDamaged).toBe(false);
    await snapshots.stop();
    await closeNode(made.opened);
  });

  test("ends the node where the identity may name the new one or not, and keeps both", async () => {
    const made = await setUp();
    await checkpointed(made);
    const { snapshots, disk, failed, opened } = made;
    const digest = made.tree.digest();
    vi.spyOn(opened.identity, "update").mockImplementationOnce(async (changes) => {
      await IdentityFile.prototype.update.call(opened.identity, changes);
      throw new ServerError("STORAGE_FAILED", "planned");
    });
    await expect(renew(snapshots)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    expect(failed).toHaveBeenCalledOnce();
    expect(disk.files.namesIn(DIRECTORY)).toEqual(expect.arrayContaining(["image-1", "image-2"]));
    await snapshots.stop();
    await closeNode(made.opened);
    // All of it was closed: otherwise it would be locked.
    for (const name of ["image-1", "image-2"]) {
      const image = await disk.images.open(`${DIRECTORY}/${name}`, { create: false });
      await image.close();
    }
    const again = await openNode(disk);
    expect(again.tree.digest()).toBe(digest);
    await closeNode(again);
  });

  test("that a snapshot replaces meanwhile needs no new one", async () => {
    const made = await setUp();
    const { storage, snapshots, disk, failed } = made;
    const snapshot = await receive(storage);
    storage.stage(snapshot);
    await persist(storage, [], snapshot.meta);
    await renew(snapshots);
    expect(disk.files.namesIn(DIRECTORY)).not.toContain("image-3");
    storage.install(Promise.resolve());
    expect(storage.image).toBe(snapshot.image);
    expect(failed).not.toHaveBeenCalled();
    await snapshots.stop();
    await closeNode(made.opened);
    const again = await openNode(disk);
    expect(again.initial.snapshot).toEqual(snapshot.meta);
    await closeNode(again);
  });

  test("that a snapshot replaces before there is room for a new one is no business any more", async () => {
    const made = await setUp();
    await checkpointed(made);
    const { storage, snapshots, state } = made;
    state.freeBytes = 1000;
    await expect(renew(snapshots)).rejects.toMatchObject({ code: "STORAGE_FULL" });
    const snapshot = await receive(storage);
    storage.stage(snapshot);
    await persist(storage, [], snapshot.meta);
    storage.install(Promise.resolve());
    expect(snapshots.isImageDamaged).toBe(false);
    state.freeBytes = FREE_BYTES;
    await snapshots.renewImage();
    expect(storage.image).toBe(snapshot.image);
    await snapshots.stop();
    await closeNode(made.opened);
  });

  test("that a snapshot replaces while the new one is made keeps what the snapshot brought", async () => {
    const made = await setUp();
    await checkpointed(made);
    const { storage, snapshots, disk } = made;
    const snapshot = await receive(storage);
    storage.stage(snapshot);
    await persist(storage, [], snapshot.meta);
    const create = vi.spyOn(storage, "createImage");
    const { createImage } = NodeStorage.prototype;
    create.mockImplementationOnce(async () => {
      const image = await createImage.call(storage);
      storage.install(Promise.resolve());
      return image;
    });
    await renew(snapshots);
    expect(storage.image).toBe(snapshot.image);
    expect(disk.files.namesIn(DIRECTORY)).not.toContain("image-3");
    await snapshots.stop();
    await closeNode(made.opened);
  });

  test("is replaced by a new one or stays, at whatever step power is lost", async () => {
    const found = new Set<string>();
    for (let cutAt = 1; cutAt < 60; cutAt += 1) {
      const disk = newDisk(cutAt);
      const made = await setUp(disk);
      await checkpointed(made);
      const digest = made.tree.digest();
      const crashed = await crashDuring(disk, cutAt, async () => {
        await renew(made.snapshots);
        await closeNode(made.opened);
      });
      const again = await openNode(crashed);
      expect(again.tree.digest()).toBe(digest);
      found.add(again.identity.current.image ?? "");
      await closeNode(again);
    }
    expect([...found].sort()).toEqual(["image-1", "image-2"]);
  });
});
