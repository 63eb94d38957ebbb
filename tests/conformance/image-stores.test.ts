import { open, readFile, readdir, rename, rm, symlink, truncate } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ServerError } from "../../packages/server/src/errors.ts";
import { MemoryFiles } from "../../packages/server/src/memory/memory-files.ts";
import { MemoryImageStores } from "../../packages/server/src/memory/memory-image-stores.ts";
import { systemError } from "../../packages/server/src/memory/system-error.ts";
import { fileError } from "../../packages/server/src/storage/file-error.ts";
import { LevelImageStores } from "../../packages/server/src/storage/level-image-store.ts";
import { NodeFiles } from "../../packages/server/src/storage/node-files.ts";
import { ThreadedImageStores } from "../../packages/server/src/storage/threaded-image-stores.ts";
import { tempDirectory } from "../support/temp-directory.ts";
import { imageStoresSuite } from "./image-stores.suite.ts";

imageStoresSuite("LevelDB", async () => {
  const directory = await tempDirectory();
  const images = new LevelImageStores(new NodeFiles());
  return { images, root: directory.path, release: () => directory.remove() };
});

imageStoresSuite("LevelDB in a thread", async () => {
  const directory = await tempDirectory();
  const images = new ThreadedImageStores();
  return { images, root: directory.path, release: () => directory.remove() };
});

imageStoresSuite("in memory", async () => {
  const files = new MemoryFiles();
  await files.makeDirectory("/data");
  return { images: new MemoryImageStores(files), root: "/data", release: async () => {} };
});

test("a LevelDB image that is open elsewhere says so in words, not in the system's", async () => {
  const directory = await tempDirectory();
  const path = join(directory.path, "image");
  const store = await new ThreadedImageStores().open(path, { create: true });
  try {
    await expect(new ThreadedImageStores().open(path, { create: false })).rejects.toMatchObject({
      code: "STORAGE_LOCKED",
      message: expect.stringContaining("another process has it open"),
    });
  } finally {
    await store.close();
    await directory.remove();
  }
});

describe("LevelDB images, damaged", () => {
  async function damaged(change: (path: string) => Promise<void>) {
    const directory = await tempDirectory();
    const images = new ThreadedImageStores();
    const path = join(directory.path, "image");
    const store = await images.open(path, { create: true });
    const batch = store.batch();
    for (let at = 0; at < 200; at += 1) {
      batch.put(`key ${at}`, new Uint8Array(500).fill(at));
    }
    await batch.write();
    await store.close();
    // Opening moves the batch from LevelDB's log into a table.
    await (await images.open(path, { create: false })).close();
    await change(path);
    return { images, path, remove: () => directory.remove() };
  }

  async function tableOf(path: string): Promise<string> {
    const name = (await readdir(path)).find((each) => each.endsWith(".ldb"));
    return join(path, name!);
  }

  test("a changed value is never given out", async () => {
    const { images, path, remove } = await damaged(async () => {});
    const store = await images.open(path, { create: false });
    const table = await tableOf(path);
    const bytes = await readFile(table);
    const value = bytes.indexOf(Buffer.alloc(100, 77));
    const file = await open(table, "r+");
    await file.write(Uint8Array.of(bytes[value + 50]! ^ 4), 0, 1, value + 50);
    await file.close();
    expect((await store.getMany(["key 76"]))[0]).toEqual(new Uint8Array(500).fill(76));
    await expect(store.getMany(["key 77"])).rejects.toMatchObject({ code: "IMAGE_CORRUPT" });
    // The first error of a store is its last.
    await expect(store.getMany(["key 76"])).rejects.toMatchObject({ code: "IMAGE_CORRUPT" });
    await store.close();
    await expect(images.open(path, { create: false })).rejects.toMatchObject({
      code: "IMAGE_CORRUPT",
    });
    await remove();
  });

  test("a table that shrinks while it is in use is found by a check, and no signal ends the process", async () => {
    const { images, path, remove } = await damaged(async () => {});
    const store = await images.open(path, { create: false });
    expect((await store.getMany(["key 199"]))[0]).toHaveLength(500);
    await truncate(await tableOf(path), 8_192);
    const check = async (): Promise<void> => {
      for await (const bytes of store.check()) expect(bytes).toBeGreaterThan(0);
    };
    await expect(check()).rejects.toMatchObject({ code: "IMAGE_CORRUPT" });
    await expect(store.getMany(["key 199"])).rejects.toMatchObject({ code: "IMAGE_CORRUPT" });
    await store.close();
    await expect(images.open(path, { create: false })).rejects.toMatchObject({
      code: "IMAGE_CORRUPT",
    });
    await remove();
  });

  test("a table that cannot be opened for a while costs a view, not the image", async () => {
    const { images, path, remove } = await damaged(async () => {});
    const store = await images.open(path, { create: false });
    const table = await tableOf(path);
    await rename(table, `${table}-away`);
    await symlink(table, table);
    const view = store.view();
    await expect(view.next(1_000, 10_000_000)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    await view.close();
    await rename(`${table}-away`, table);
    const again = store.view();
    expect(await again.next(1_000, 10_000_000)).toHaveLength(200);
    await again.close();
    await store.close();
    await remove();
  });

  test("without its CURRENT file an image is not taken for an empty one", async () => {
    const { images, path, remove } = await damaged((at) => rm(join(at, "CURRENT")));
    await expect(images.open(path, { create: false })).rejects.toMatchObject({
      code: "IMAGE_CORRUPT",
    });
    expect(await tableOf(path)).toContain(".ldb");
    await remove();
  });
});

test("images in memory give out no damaged value either, until another takes its place", async () => {
  const images = new MemoryImageStores(new MemoryFiles());
  const corrupt = { code: "IMAGE_CORRUPT", message: expect.stringContaining("the value of b") };
  const store = await images.open("/image", { create: true });
  const batch = store.batch();
  for (const key of ["a", "b", "c"]) batch.put(key, Uint8Array.of(1));
  await batch.write();
  expect(images.damage(0.5)).toBe(true);
  expect(await store.getMany(["a", "c"])).toEqual([Uint8Array.of(1), Uint8Array.of(1)]);
  await expect(store.getMany(["b"])).rejects.toMatchObject(corrupt);
  await expect(store.getMany(["a"])).rejects.toMatchObject(corrupt);
  await store.close();
  const again = await images.open("/image", { create: false });
  const mend = again.batch();
  mend.put("b", Uint8Array.of(2));
  await mend.write();
  expect(await again.view().next(10, 1_000)).toHaveLength(3);
  expect(images.damage(0.5)).toBe(true);
  await expect(again.view().next(10, 1_000)).rejects.toMatchObject(corrupt);
});

describe("images in memory, on a disk that cannot be read", () => {
  const unread = (code: string): ServerError =>
    fileError("read", "/image/CURRENT", systemError(code));

  async function checked(store: Awaited<ReturnType<MemoryImageStores["open"]>>): Promise<number> {
    let bytes = 0;
    for await (const count of store.check()) bytes += count;
    return bytes;
  }

  test("are damaged, when they are opened and when they are checked", async () => {
    const files = new MemoryFiles();
    const images = new MemoryImageStores(files);
    await (await images.open("/image", { create: true })).close();
    files.failNext("read", unread("EIO"));
    await expect(images.open("/image", { create: false })).rejects.toMatchObject({
      code: "IMAGE_CORRUPT",
    });
    const store = await images.open("/image", { create: false });
    expect(await checked(store)).toBeGreaterThan(0);
    files.failNext("read", unread("EIO"));
    await expect(checked(store)).rejects.toMatchObject({ code: "IMAGE_CORRUPT" });
    await expect(store.getMany(["a"])).rejects.toMatchObject({ code: "IMAGE_CORRUPT" });
    await store.close();
  });

  test("are not damaged for want of descriptors", async () => {
    const files = new MemoryFiles();
    const store = await new MemoryImageStores(files).open("/image", { create: true });
    files.failNext("read", unread("EMFILE"));
    await expect(checked(store)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    expect(await checked(store)).toBeGreaterThan(0);
    expect(await store.getMany(["a"])).toEqual([null]);
    await store.close();
  });
});

describe("images in memory, crashing", () => {
  test("a batch is there as a whole or not at all", async () => {
    const found = new Set<string>();
    for (let seed = 1; seed <= 12; seed += 1) {
      const files = new MemoryFiles({ seed });
      const images = new MemoryImageStores(files);
      const store = await images.open("/image", { create: true });
      const first = store.batch();
      first.put("a", Uint8Array.of(1));
      await first.write();
      const held = files.holdNext("write");
      const second = store.batch();
      second.put("a", Uint8Array.of(2));
      second.put("b", Uint8Array.of(2));
      void second.write();
      await held.reached;
      const after = images.afterCrash(files.crash());
      const again = await after.open("/image", { create: false });
      found.add((await again.getMany(["a", "b"])).map(String).join(" "));
    }
    expect([...found].sort()).toEqual(["1 null", "2 2"]);
  });

  test("a failed write is the store's last", async () => {
    const files = new MemoryFiles();
    const store = await new MemoryImageStores(files).open("/image", { create: true });
    files.failNext("write", new ServerError("STORAGE_FULL", "planned"));
    const batch = store.batch();
    batch.put("a", Uint8Array.of(1));
    await expect(batch.write()).rejects.toMatchObject({ code: "STORAGE_FULL" });
    await expect(store.getMany(["a"])).rejects.toMatchObject({ code: "STORAGE_FULL" });
  });
});
