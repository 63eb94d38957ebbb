import { expect, test } from "vitest";
import { createServerConfig } from "../config.ts";
import { ServerError } from "../errors.ts";
import { ManualClock } from "../memory/manual-clock.ts";
import { ManualWallClock } from "../memory/manual-wall-clock.ts";
import { MemoryFiles } from "../memory/memory-files.ts";
import { MemoryImageStores } from "../memory/memory-image-stores.ts";
import { SeededRandom } from "../memory/seeded-random.ts";
import { SILENT_LOGGER } from "../observe/logger.ts";
import { QuorateServer } from "../quorate-server.ts";
import { MemoryNetwork } from "../transport/memory-transport.ts";
import { hasSetAside, setAside } from "./set-aside.ts";

async function damagedNode(): Promise<MemoryFiles> {
  const files = new MemoryFiles({ seed: 1 });
  await fill(files);
  return files;
}

async function fill(files: MemoryFiles): Promise<void> {
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

test("broken off anywhere and done again, nothing is left behind", async () => {
  for (const operation of ["rename", "syncDirectory", "makeDirectory"] as const) {
    const files = await damagedNode();
    files.failNext(operation, new ServerError("STORAGE_FAILED", "EIO"));
    await expect(setAside(files, "/d")).rejects.toThrow();
    expect(await files.list("/d")).toContain("identity");
    await setAside(files, "/d");
    const left = (await files.list("/d")).filter((name) => !name.startsWith("damaged-"));
    expect(left).toEqual(["reserve"]);
  }
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
