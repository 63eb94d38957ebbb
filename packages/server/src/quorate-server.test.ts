import { expect, test } from "vitest";
import { createServerConfig } from "./config.ts";
import { ManualClock } from "./memory/manual-clock.ts";
import { ManualWallClock } from "./memory/manual-wall-clock.ts";
import { MemoryFiles } from "./memory/memory-files.ts";
import { MemoryImageStores } from "./memory/memory-image-stores.ts";
import { SeededRandom } from "./memory/seeded-random.ts";
import { SILENT_LOGGER } from "./observe/logger.ts";
import type { ListenOptions } from "./ports.ts";
import { QuorateServer } from "./quorate-server.ts";
import { loadIdentity } from "./storage/identity.ts";
import { MemoryNetwork } from "./transport/memory-transport.ts";

function newMachine() {
  const clock = new ManualClock();
  const files = new MemoryFiles();
  return {
    ...{ clock, wallClock: new ManualWallClock(0), random: new SeededRandom(1) },
    ...{ files, images: new MemoryImageStores(files) },
    transport: new MemoryNetwork({ clock }).transport("a"),
  };
}

const CONFIG = createServerConfig({
  ...{ dataDirectory: "/data", diskFreeBytesMin: 1_048_576, diskReserveBytes: 65_536 },
});

/** Who the data directory belongs to. */
async function nodeIn(files: MemoryFiles) {
  const identity = await loadIdentity(files, "/data");
  const { nodeId, clusterId } = identity!.current;
  await identity!.close();
  return { nodeId, clusterId };
}

test("clients are listened to within the bounds that are set", async () => {
  const ports = newMachine();
  const { transport } = ports;
  const listens: ListenOptions[] = [];
  const told = {
    listen: async (options: ListenOptions) => {
      listens.push(options);
      return transport.listen(options);
    },
    dial: transport.dial,
  };
  await using _server = await QuorateServer.start({
    ...{ config: CONFIG, ports: { ...ports, transport: told } },
    ...{ logger: SILENT_LOGGER, ownsProcess: false },
  });
  const { helloBytesMax, ...bounds } = CONFIG.limits.client;
  const { frameBytesMax, unfinishedBytesMax, connectionsMax, otherSocketsMax } = bounds;
  expect(listens.at(-1)).toMatchObject({
    ...{ frameBytesMax, firstFrameBytesMax: helloBytesMax, unfinishedBytesMax },
    ...{ connectionsMax, otherSocketsMax },
  });
});

test("a node stops in time although its disk hangs while the ensemble is formed", async () => {
  const ports = newMachine();
  const { clock, files } = ports;
  let hangs = false;
  files.setOnStep(() => (hangs ? new Promise(() => undefined) : null));
  const logger = {
    ...SILENT_LOGGER,
    info: (_fields: object, message: string): void => {
      if (message === "the ensemble is formed") hangs = true;
    },
  };
  const server = await QuorateServer.start({ config: CONFIG, ports, logger, ownsProcess: false });
  expect(hangs).toBe(true);
  let isStopped = false;
  const stopping = server.stop().then(() => (isStopped = true));
  for (let second = 0; second < 10 && !isStopped; second += 1) {
    clock.advance(1_000);
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  }
  expect(isStopped).toBe(true);
  await stopping;
  expect(await server.stopped).toMatchObject({ code: "STORAGE_FAILED" });
});

test.each(["client", "peer"] as const)(
  "a node whose %s port is taken leaves no identity where there was none, and the one that was there",
  async (side) => {
    const ports = newMachine();
    const { files, transport } = ports;
    const start = () =>
      QuorateServer.start({ config: CONFIG, ports, logger: SILENT_LOGGER, ownsProcess: false });
    const { listen } = CONFIG[side];
    const other = { ...listen, frameBytesMax: 1, connectionsMax: 1, allowedOrigins: [] };
    const take = () => transport.listen({ ...other, http: null, accept: () => undefined });

    const first = await take();
    await expect(start()).rejects.toMatchObject({ code: "ADDRESS_IN_USE" });
    expect(await files.list("/data")).toEqual([]);
    await first.close();
    await (await start()).stop();
    const identity = await nodeIn(files);
    const second = await take();
    await expect(start()).rejects.toMatchObject({ code: "ADDRESS_IN_USE" });
    expect(await nodeIn(files)).toEqual(identity);
    await second.close();
    await (await start()).stop();
  },
);
