import { connect } from "@quorate/client";
import { describe, expect, it } from "vitest";
import { MemoryFiles } from "../../packages/server/src/memory/memory-files.ts";
import { Servers, until } from "./servers.ts";

/** More than memory keeps: who lacks the first of them gets them from the disk. */
const WRITES = 60;
const LARGE = new Uint8Array(500_000).fill(7);
const SMALL = new Uint8Array(20_000).fill(7);
const LOG = "/data/log";
const PLACES = [0, 1, 2];

/** A spot in the middle of the log that the disk does not give back as it was written. */
async function damageLog(files: MemoryFiles, position = 100_000): Promise<void> {
  const names = (await files.list(LOG)).filter((name) => name.endsWith(".wal")).sort();
  const name = names[names.length >> 2] ?? "";
  const file = await files.open(`${LOG}/${name}`, { create: false, durable: false });
  await file.write(position, new Uint8Array(512).fill(1));
  await file.close();
}

describe("a leader that cannot read a part of its log any more", () => {
  it("gives the only other node a snapshot that ends behind it, and both serve", async () => {
    const disks: MemoryFiles[] = [];
    const settings = { logSegmentBytes: 1_048_576, memoryLogBytesMax: 16_777_216 };
    await using servers = await Servers.start(settings, (ports, at) => {
      const files = new MemoryFiles();
      disks[at] = files;
      return { ...ports, files };
    });
    const behind = (servers.leader + 1) % 3;
    await servers.stopNode(behind);
    const writer = await connect({ servers: servers.clients });
    for (let n = 0; n < WRITES; n += 1) await writer.create(`/${n}`, LARGE);
    await writer.close();
    await until(() => servers.leader >= 0);
    const damaged = servers.leader;
    const files = disks[damaged];
    if (files === undefined) throw new Error("no disk");
    await damageLog(files);
    await servers.stopNode(3 - damaged - behind);
    await servers.startNode(behind);
    await servers.ready();
    await using client = await connect({ servers: servers.clients });
    await client.create("/after", "");
    await servers.agree();
    expect(servers.node(damaged).status().checkpointZxid).toBeGreaterThan(0);
  });
});

/** Of one node, which says that its disk is nearly full. */
class FullFiles extends MemoryFiles {
  isFull = false;

  override async space(path: string): ReturnType<MemoryFiles["space"]> {
    const space = await super.space(path);
    return this.isFull ? { ...space, freeBytes: 0 } : space;
  }
}

describe("a follower that finds a part of its log damaged", () => {
  it("stays for as long as one of the others has no room, and leaves then", async () => {
    const disks = PLACES.map(() => new FullFiles());
    const settings = { logSegmentBytes: 65_536, scrubIntervalMs: 500 };
    await using servers = await Servers.start(settings, (ports, at) => {
      const files = disks[at];
      return files === undefined ? ports : { ...ports, files };
    });
    const { leader } = servers;
    const full = disks[(leader + 1) % 3];
    const damaged = (leader + 2) % 3;
    const files = disks[damaged];
    if (full === undefined || files === undefined) throw new Error("no disk");
    full.isFull = true;
    await until(() => servers.running.some((node) => node.notReady().includes("the disk is full")));
    const writer = await connect({ servers: servers.clients });
    for (let n = 0; n < 20; n += 1) await writer.create(`/${n}`, SMALL);
    await writer.close();
    const node = servers.node(damaged);
    let hasLeft = false;
    void node.stopped.then(() => {
      hasLeft = true;
    });
    await damageLog(files, 1_000);
    // What it cannot read any more its image holds from now on.
    await until(() => hasLeft || node.status().checkpointZxid > 0);
    expect(hasLeft).toBe(false);
    full.isFull = false;
    await until(() => hasLeft);
    expect((await node.stopped)?.message).toMatch("log");
  });
});
