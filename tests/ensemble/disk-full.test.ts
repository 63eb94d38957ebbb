import { connect } from "@quorate/client";
import type { ServerPorts } from "@quorate/server";
import { describe, expect, it } from "vitest";
import { Servers, until } from "./servers.ts";

describe("a full disk", () => {
  it("refuses what grows, serves reads and deletes, and recovers by itself", async () => {
    let freeBytes = 1_000_000_000;
    await using servers = await Servers.start(
      {},
      withSpace(() => freeBytes),
    );
    await using client = await connect({ servers: servers.clients });
    await client.create("/a", "1");
    await client.create("/b", "1");
    freeBytes = 1_000;
    await until(() => servers.running.every((node) => node.notReady().join().includes("disk")));
    // Whoever leads hears of the others' disks a moment later.
    const deadline = performance.now() + 20_000;
    const growing = async (): Promise<string> => {
      while (performance.now() < deadline) await client.set("/a", "1", { timeoutMs: 1_000 });
      return `still taken: ${JSON.stringify(servers.running.map((node) => node.status()))}`;
    };
    await expect(growing()).rejects.toMatchObject({
      code: expect.stringMatching(/DISK_FULL|TIMEOUT/),
    });
    const patience = { timeoutMs: 20_000 };
    expect(new TextDecoder().decode((await client.get("/a", patience)).data)).toBe("1");
    freeBytes = 1_000_000_000;
    await servers.ready();
    await client.set("/a", "3", patience);
    expect(new TextDecoder().decode((await client.get("/a", patience)).data)).toBe("3");
    await client.delete("/b");
    expect(await client.exists("/b")).toBeNull();
  });

  it("lets deletes pass while it is full", async () => {
    let freeBytes = 1_000_000_000;
    await using servers = await Servers.start(
      {},
      withSpace(() => freeBytes),
    );
    await using client = await connect({ servers: servers.clients });
    await client.create("/a", "1");
    freeBytes = 1_000;
    await until(() => servers.running.every((node) => node.notReady().join().includes("disk")));
    await client.delete("/a", { timeoutMs: 5_000 });
    expect(await client.exists("/a")).toBeNull();
  });
});

/** The same ports, but the disk has as much room as the test says. */
function withSpace(freeBytes: () => number): (ports: ServerPorts) => ServerPorts {
  return (ports) => {
    const { files } = ports;
    return {
      ...ports,
      files: {
        makeDirectory: (path) => files.makeDirectory(path),
        list: (path) => files.list(path),
        readWhole: (path) => files.readWhole(path),
        open: (path, options) => files.open(path, options),
        rename: (from, to) => files.rename(from, to),
        remove: (path) => files.remove(path),
        syncDirectory: (path) => files.syncDirectory(path),
        space: async () => ({ freeBytes: freeBytes(), totalBytes: 1_000_000_000 }),
      },
    };
  };
}
