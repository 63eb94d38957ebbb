import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { changedFiles } from "../../../../tests/support/faulty-files.ts";
import { tempFolder } from "../../../../tests/support/temp-directory.ts";
import { createServerConfig } from "../config.ts";
import { ServerError } from "../errors.ts";
import { ManualClock } from "../memory/manual-clock.ts";
import { ManualWallClock } from "../memory/manual-wall-clock.ts";
import { MemoryFiles } from "../memory/memory-files.ts";
import { MemoryImageStores } from "../memory/memory-image-stores.ts";
import { SeededRandom } from "../memory/seeded-random.ts";
import { SILENT_LOGGER } from "../observe/logger.ts";
import type { Files } from "../ports.ts";
import { QuorateServer } from "../quorate-server.ts";
import { LevelImageStores } from "../storage/level-image-store.ts";
import { NodeFiles } from "../storage/node-files.ts";
import { MemoryNetwork } from "../transport/memory-transport.ts";
import { hasSetAside, setAside } from "./set-aside.ts";

async function damagedNode(): Promise<MemoryFiles> {
  const files = new MemoryFiles({ seed: 1 });
  await fill(files);
  return files;
}

/** With what is missing of a node. */
async function fill(files: Files): Promise<void> {
  await files.makeDirectory("/d/log");
  await files.makeDirectory("/d/image-3");
  for (const name of ["identity", "reserve", "log/1"]) {
    const known = await files.list("/d");
    if (known.includes(name)) continue;
    const file = await files.open(`/d/${name}`, { create: true, durable: true });
    await file.write(0, new Uint8Array([1]));
    await file.close();
  }
}

test("all that a node has done is put away, and what it only needs stays", async () => {
  const files = await damagedNode();
  expect(await hasSetAside(files, "/d")).toBe(false);
  expect(await setAside(files, "/d")).toBe("damaged-1");
  expect(await hasSetAside(files, "/d")).toBe(true);
  expect(await files.list("/d")).toEqual(["damaged-1", "reserve"]);
  expect(await files.list("/d/damaged-1")).toEqual(["identity", "image-3", "log"]);
  expect(await files.list("/d/damaged-1/log")).toEqual(["1"]);
});

test("the data of the last two damages are kept", async () => {
  const files = await damagedNode();
  for (let round = 0; round < 4; round += 1) {
    await setAside(files, "/d");
    await fill(files);
  }
  const names = await files.list("/d");
  expect(names.filter((name) => name.startsWith("damaged-"))).toEqual(["damaged-3", "damaged-4"]);
});

/** The same files, which fail from the one of the operations that change names on that `left` of them come before. */
function breaking(files: Files) {
  const limit = { left: Infinity };
  const take = async (work: () => Promise<void>): Promise<void> => {
    if (limit.left === 0) throw new ServerError("STORAGE_FAILED", "EIO");
    limit.left -= 1;
    await work();
  };
  const broken = changedFiles(files, {
    makeDirectory: (path) => take(() => files.makeDirectory(path)),
    rename: (from, to) => take(() => files.rename(from, to)),
    syncDirectory: (path) => take(() => files.syncDirectory(path)),
  });
  return { files: broken, limit };
}

test("broken off anywhere and done again, all of it is in one folder and nothing is left behind", async () => {
  const OPERATIONS = 1 + 3 * 3;
  for (let count = 0; count < OPERATIONS; count += 1) {
    const { files, limit } = breaking(new MemoryFiles({ seed: 1 }));
    await fill(files);
    await setAside(files, "/d");
    await fill(files);
    limit.left = count;
    await expect(setAside(files, "/d")).rejects.toThrow();
    limit.left = Infinity;
    // Where nothing but the last sync is missing, the identity has gone and there is nothing to be set aside any more.
    if ((await files.list("/d")).includes("identity")) await setAside(files, "/d");
    expect(await files.list("/d")).toEqual(["damaged-1", "damaged-2", "reserve"]);
    for (const folder of ["damaged-1", "damaged-2"]) {
      expect(await files.list(`/d/${folder}`)).toEqual(["identity", "image-3", "log"]);
    }
  }
});

/** What a start does with what it finds, damaged as it is. */
async function startDamaged(files: Files, directory: string): Promise<void> {
  if (!(await files.list(directory)).includes("identity")) return;
  const opening = new LevelImageStores(files).open(`${directory}/image-3`, { create: false });
  await expect(opening).rejects.toMatchObject({ code: "IMAGE_CORRUPT" });
  await setAside(files, directory);
}

test("broken off anywhere, twice, by starts that look for the image, all of it is in one folder", async () => {
  const STEPS = 1 + 3 * 3;
  for (let first = 0; first < STEPS; first += 1) {
    for (let second = 0; second < STEPS; second += 1) {
      const directory = tempFolder();
      const { files, limit } = breaking(new NodeFiles());
      for (const name of ["image-3", "log"]) mkdirSync(join(directory, name));
      for (const name of ["identity", "image-3/MANIFEST-000001", "log/1", "reserve"])
        writeFileSync(join(directory, name), name);
      for (const count of [first, second, Infinity]) {
        limit.left = count;
        await startDamaged(files, directory).catch((error: unknown) => {
          expect(error).toMatchObject({ code: "STORAGE_FAILED" });
        });
      }
      expect(readdirSync(directory).sort()).toEqual(["damaged-1", "reserve"]);
      const kept = join(directory, "damaged-1");
      expect(readdirSync(kept).sort()).toEqual(["identity", "image-3", "log"]);
      expect(readFileSync(join(kept, "image-3/MANIFEST-000001"), "utf8")).toMatch("MANIFEST");
    }
  }
});

test("an image that came to be since its namesake was put away lies beside that", async () => {
  const files = await damagedNode();
  await files.makeDirectory("/d/damaged-1/image-3/real");
  expect(await setAside(files, "/d")).toBe("damaged-1");
  expect(await files.list("/d/damaged-1")).toEqual(["identity", "image-3", "image-3-2", "log"]);
  expect(await files.list("/d/damaged-1/image-3")).toEqual(["real"]);
});

test("what is there again goes into a folder of its own, though the last one has no identity", async () => {
  const files = await damagedNode();
  await setAside(files, "/d");
  await files.remove("/d/damaged-1/identity");
  await fill(files);
  expect(await setAside(files, "/d")).toBe("damaged-2");
  expect(await files.list("/d/damaged-1")).toEqual(["image-3", "log"]);
});

/** Of an ensemble of one, which founds it as soon as it starts. */
function startAlone(files: MemoryFiles): Promise<QuorateServer> {
  const clock = new ManualClock();
  const network = new MemoryNetwork({ clock, schedule: () => undefined });
  return QuorateServer.start({
    config: createServerConfig({
      name: "a",
      members: [{ name: "a", peer: "a:1", client: "a:2" }],
      dataDirectory: "/d",
      insecure: true,
    }),
    ports: {
      files,
      clock,
      images: new MemoryImageStores(files),
      wallClock: new ManualWallClock(0),
      random: new SeededRandom(1),
      transport: network.transport("a"),
    },
    logger: SILENT_LOGGER,
    ownsProcess: false,
  });
}

test("a node whose data were set aside founds no ensemble, however often it is started", async () => {
  const files = new MemoryFiles({ seed: 1 });
  await files.makeDirectory("/d/damaged-1");
  for (let start = 0; start < 2; start += 1) {
    const server = await startAlone(files);
    expect(server.status().clusterId).toBe("");
    await server.stop();
  }
  await files.remove("/d/damaged-1");
  await using founding = await startAlone(files);
  expect(founding.status().clusterId).not.toBe("");
});
