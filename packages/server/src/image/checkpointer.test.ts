import { DataTree, TREE_LIMITS, type Command } from "@quorate/kv-store";
import { sessionId, writeSeq, zxid, type WriteOp } from "@quorate/kv-store/protocol";
import { logIndex, term, type SnapshotMeta } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { loneMembership } from "../../../../tests/support/members.ts";
import { ManualClock } from "../memory/manual-clock.ts";
import { MemoryFiles } from "../memory/memory-files.ts";
import { MemoryImageStores } from "../memory/memory-image-stores.ts";
import type { ImageStore } from "../ports.ts";
import { Checkpointer } from "./checkpointer.ts";
import { loadImage } from "./image-loader.ts";
import { IMAGE_META_KEY, encodeImageMeta } from "./image-meta.ts";

/** Turns end by themselves here. */
class Clock extends ManualClock {
  override endOfTurn(callback: () => void): void {
    queueMicrotask(callback);
  }
}

const ATTACH = { node: 1, address: "client:1", principal: "", clientName: "test" };
const IDENTITY = { clusterId: "cluster", historyId: "history" };

class World {
  readonly clock = new Clock();
  readonly tree = new DataTree(TREE_LIMITS);
  readonly checkpointer = new Checkpointer({ clock: this.clock, ...IDENTITY });
  #seq = 0;

  constructor() {
    this.apply({
      kind: "openSession",
      verifier: new Uint8Array(16),
      timeoutMs: 5000,
      attach: ATTACH,
    });
  }

  apply(command: Command): void {
    const at = zxid(this.tree.lastZxid + 1);
    this.tree.apply(at, 1, { timeMs: 7, clockMs: 9 * at }, command);
  }

  write(...ops: readonly WriteOp[]): void {
    this.#seq += 1;
    const seq = writeSeq(this.#seq);
    this.apply({
      ...{ kind: "write", session: sessionId(1), writeSeq: seq, ackedSeq: 0, epoch: 0 },
      ops,
    });
  }

  meta(): SnapshotMeta {
    return {
      index: logIndex(this.tree.lastZxid),
      term: term(1),
      membership: loneMembership(5),
    };
  }

  checkpoint(image: ImageStore): Promise<void> {
    return this.checkpointer.run(this.tree, image, this.meta());
  }

  load(image: ImageStore): ReturnType<typeof loadImage> {
    return loadImage(image, TREE_LIMITS, this.clock);
  }
}

const create = (path: string, mark = 1): WriteOp => ({
  kind: "create",
  path,
  data: new Uint8Array(50).fill(mark),
  mode: "persistent",
});

async function newImage(): Promise<ImageStore> {
  const files = new MemoryFiles();
  await files.makeDirectory("/data");
  return new MemoryImageStores(files).open("/data/image-1", { create: true });
}

/** The image, but one of its operations behaves as told. */
function altered(image: ImageStore, changes: Partial<ImageStore>): ImageStore {
  return {
    batch: () => image.batch(),
    getMany: (keys) => image.getMany(keys),
    view: () => image.view(),
    check: () => image.check(),
    close: () => image.close(),
    ...changes,
  };
}

describe("a checkpoint", () => {
  test("is loaded as the same state, with what it stands for", async () => {
    const world = new World();
    const image = await newImage();
    for (let at = 0; at < 700; at += 1) world.write(create(`/${at}`, at));
    world.write({ kind: "acquire", path: "/lock", data: new Uint8Array(0), wait: true });
    await world.checkpoint(image);
    const { tree, meta } = await world.load(image);
    expect(meta).toEqual({ ...IDENTITY, snapshot: world.meta() });
    expect(tree.digest()).toBe(world.tree.digest());
    expect(tree.recomputeDigest()).toBe(world.tree.digest());
    expect(tree.lastZxid).toBe(world.tree.lastZxid);
    expect(tree.clockMs).toBe(world.tree.clockMs);
    expect(tree.session(sessionId(1))).toEqual(world.tree.session(sessionId(1)));
  });

  test("writes what changed since the last one, also what went", async () => {
    const world = new World();
    const image = await newImage();
    world.write(create("/a"), create("/b"));
    await world.checkpoint(image);
    world.write({ kind: "delete", path: "/a", version: null }, create("/c", 3));
    await world.checkpoint(image);
    const { tree } = await world.load(image);
    expect(tree.digest()).toBe(world.tree.digest());
    expect(tree.read({ kind: "exists", path: "/a" })).toMatchObject({ value: { stat: null } });
    expect(tree.changesSince(zxid(2)).ok).toBe(true);
  });

  test("stands at one revision, whatever is applied while it is written", async () => {
    const world = new World();
    const image = await newImage();
    for (let at = 0; at < 2000; at += 1) world.write(create(`/${at}`, at));
    const { digest, at } = { digest: world.tree.digest(), at: world.tree.lastZxid };
    let pauses = 0;
    world.clock.endOfTurn = (callback) => {
      pauses += 1;
      world.write({
        kind: "set",
        path: `/${1000 + pauses}`,
        data: new Uint8Array(9),
        version: null,
      });
      queueMicrotask(callback);
    };
    // Every look at the clock finds that it took long.
    world.clock.nowMs = () => {
      world.clock.stall(1);
      return ManualClock.prototype.nowMs.call(world.clock) * 10;
    };
    await world.checkpoint(image);
    expect(pauses).toBeGreaterThan(2);
    const { tree, meta } = await new World().load(image);
    expect(meta?.snapshot.index).toBe(at);
    expect(tree.digest()).toBe(digest);
  });

  test("gives other work its turn after so many records", async () => {
    const world = new World();
    for (let at = 0; at < 40; at += 1) world.write(create(`/${at}`, at));
    let pauses = 0;
    world.clock.endOfTurn = (callback) => {
      pauses += 1;
      queueMicrotask(callback);
    };
    const checkpointer = new Checkpointer({ clock: world.clock, ...IDENTITY, turnRecordsMax: 10 });
    await checkpointer.run(world.tree, await newImage(), world.meta());
    expect(pauses).toBeGreaterThanOrEqual(4);
    expect(pauses).toBeLessThan(20);
  });

  test.each([
    ["loses a record", null],
    ["gives back something else", Uint8Array.of(1, 2, 3)],
  ])("fails when the image %s, and the next one writes it all again", async (_what, value) => {
    const world = new World();
    const image = await newImage();
    world.write(create("/a"));
    const broken = altered(image, { getMany: async (keys) => keys.map(() => value) });
    await expect(world.checkpoint(broken)).rejects.toMatchObject({ code: "IMAGE_CORRUPT" });
    expect(world.checkpointer.isRunning).toBe(false);
    const other = await newImage();
    await world.checkpoint(other);
    expect((await world.load(other)).tree.digest()).toBe(world.tree.digest());
  });

  test("that cannot be written leaves the image as it was", async () => {
    const world = new World();
    const image = await newImage();
    await world.checkpoint(image);
    const { digest } = { digest: world.tree.digest() };
    world.write(create("/a"));
    const failing = altered(image, {
      batch: () => ({ ...image.batch(), write: () => Promise.reject(new Error("EIO")) }),
    });
    await expect(world.checkpoint(failing)).rejects.toThrow("EIO");
    expect((await world.load(image)).tree.digest()).toBe(digest);
    await world.checkpoint(image);
    expect((await world.load(image)).tree.digest()).toBe(world.tree.digest());
  });

  test("is one at a time", async () => {
    const world = new World();
    const image = await newImage();
    const first = world.checkpoint(image);
    await expect(world.checkpoint(image)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    await first;
    expect((await world.load(image)).tree.digest()).toBe(world.tree.digest());
  });
});

describe("an image", () => {
  test("that is new holds the state before everything", async () => {
    const { tree, meta } = await new World().load(await newImage());
    expect(meta).toBeNull();
    expect(tree.digest()).toBe(new DataTree(TREE_LIMITS).digest());
  });

  async function written(): Promise<{ readonly world: World; readonly image: ImageStore }> {
    const world = new World();
    const image = await newImage();
    world.write(create("/a"), create("/b"));
    await world.checkpoint(image);
    return { world, image };
  }

  test.each([
    ["lacks its meta record", null],
    ["has a meta record that nobody can read", Uint8Array.of(0x7b)],
  ])("that %s is refused", async (_what, value) => {
    const { world, image } = await written();
    const batch = image.batch();
    if (value === null) batch.delete(IMAGE_META_KEY);
    else batch.put(IMAGE_META_KEY, value);
    await batch.write();
    await expect(world.load(image)).rejects.toMatchObject({ code: "IMAGE_CORRUPT" });
  });

  test("that says it stands elsewhere than its records do is refused", async () => {
    const { world, image } = await written();
    const batch = image.batch();
    const snapshot = { ...world.meta(), index: logIndex(world.tree.lastZxid + 1) };
    batch.put(IMAGE_META_KEY, encodeImageMeta({ ...IDENTITY, snapshot }));
    await batch.write();
    await expect(world.load(image)).rejects.toMatchObject({ code: "IMAGE_CORRUPT" });
  });

  test("of another format is refused as such", async () => {
    const { world, image } = await written();
    const batch = image.batch();
    batch.put(IMAGE_META_KEY, new TextEncoder().encode('{"version":99}'));
    await batch.write();
    await expect(world.load(image)).rejects.toMatchObject({ code: "FORMAT_UNKNOWN" });
  });

  test("is refused with any record missing or altered", async () => {
    const { world, image } = await written();
    const view = image.view();
    const records = await view.next(1000, 1_000_000);
    await view.close();
    for (const [key, value] of records) {
      for (const bad of [
        null,
        Uint8Array.from(value, (byte, at) => (at === 5 ? byte ^ 4 : byte)),
      ]) {
        const copy = await newImage();
        const batch = copy.batch();
        for (const [name, bytes] of records) {
          const kept = name === key ? bad : bytes;
          if (kept !== null) batch.put(name, kept);
        }
        await batch.write();
        await expect(world.load(copy), key).rejects.toMatchObject({ name: "ServerError" });
      }
    }
  });
});
