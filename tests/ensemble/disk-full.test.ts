import { connect, type QuorateClient } from "@quorate/client";
import { ServerError, type ServerPorts } from "@quorate/server";
import { describe, expect, it } from "vitest";
import { withFiles } from "../support/faulty-files.ts";
import { Servers, until } from "./servers.ts";

const ROOM = 1_000_000_000;

describe("a full disk", () => {
  it("refuses what grows, serves reads and deletes, and recovers by itself", async () => {
    const disk = { freeBytes: ROOM };
    await using servers = await onDisk(disk);
    await using client = await connect({ servers: servers.clients });
    await client.create("/a", "1");
    await client.create("/b", "1");
    disk.freeBytes = 1_000;
    await untilFull(servers);
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
    disk.freeBytes = ROOM;
    await servers.ready();
    await client.set("/a", "3", patience);
    expect(new TextDecoder().decode((await client.get("/a", patience)).data)).toBe("3");
    await client.delete("/b");
    expect(await client.exists("/b")).toBeNull();
  });

  it("lets deletes pass while it is full", async () => {
    const disk = { freeBytes: ROOM };
    await using servers = await onDisk(disk);
    await using client = await connect({ servers: servers.clients });
    await client.create("/a", "1");
    disk.freeBytes = 1_000;
    await untilFull(servers);
    await client.delete("/a", { timeoutMs: 5_000 });
    expect(await client.exists("/a")).toBeNull();
  });

  it("keeps nobody from hearing who leads, also where a read came with a write that has to wait", async () => {
    const disk = { freeBytes: ROOM };
    await using servers = await onDisk(disk);
    await using client = await connect({ servers: servers.clients });
    await client.create("/a", "1");
    await client.create("/b", "1");
    await using leadership = await client.election("/e").campaign();
    disk.freeBytes = 1_000;
    await untilFull(servers);
    await until(() => refuses(client));
    // Nothing waits any more, so that the next write and read leave together.
    await client.delete("/b");
    const waiting = [client.set("/a", "2"), client.get("/a")];
    const leaders = client.election("/e").observe({ timeoutMs: 20_000 })[Symbol.asyncIterator]();
    expect((await leaders.next()).value).toMatchObject({ token: leadership.token });
    disk.freeBytes = ROOM;
    await Promise.all(waiting);
    expect(new TextDecoder().decode((await client.get("/a")).data)).toBe("2");
  });

  it("lets a new client come and delete while it is full, and nobody once it is as good as used up", async () => {
    const disk = { freeBytes: ROOM };
    await using servers = await onDisk(disk);
    await using writer = await connect({ servers: servers.clients });
    for (const path of ["/a", "/b"]) await writer.create(path, "1");
    disk.freeBytes = 700_000;
    await untilFull(servers);
    await until(() => refuses(writer));
    await using client = await connect({ servers: servers.clients });
    await client.delete("/a");
    expect(await client.exists("/a")).toBeNull();
    disk.freeBytes = 1_000;
    // Until the leader knows it of a majority.
    await until(async () => {
      await using late = await connect({
        servers: servers.clients,
        connectTimeoutMs: 1_000,
      }).catch((error: unknown) => {
        expect(error).toMatchObject({ code: "CONNECTION_FAILED", cause: { code: "DISK_FULL" } });
        return null;
      });
      return late === null;
    });
    await client.delete("/b");
    disk.freeBytes = ROOM;
    await using again = await connect({ servers: servers.clients, connectTimeoutMs: 20_000 });
    expect(await again.exists("/b")).toBeNull();
  });

  it("that is found to be full only while the log waits gets the reserve's room back", async () => {
    const disks = [new FullDisk(), new FullDisk(), new FullDisk()];
    await using servers = await Servers.start({}, (ports, at) => disks[at]!.under(ports));
    await using client = await connect({ servers: servers.clients });
    await until(async () =>
      (await Promise.all(disks.map((disk) => disk.hasReserve()))).every(Boolean),
    );
    const at = (servers.leader + 1) % 3;
    const [disk, node] = [disks[at]!, servers.node(at)];
    const isWaiting = (): boolean => node.notReady().join().includes("waits for room");
    disk.isFull = true;
    const data = new Uint8Array(20_000);
    await client.create("/a", data, { timeoutMs: 20_000 });
    await until(async () => {
      await client.set("/a", data, { timeoutMs: 20_000 });
      return isWaiting();
    });
    // Long enough for nobody to age any more.
    const refusals = disk.refusals + 3;
    await until(() => disk.refusals >= refusals);
    disk.freeBytes = 1_000;
    await until(async () => !(await disk.hasReserve()));
    await until(() => !isWaiting());
    disk.freeBytes = ROOM;
    disk.isFull = false;
    await servers.ready();
    await servers.agree();
  });
});

/** Growing writes are not taken any more: the leader knows that a majority is full. */
async function refuses(client: QuorateClient): Promise<boolean> {
  try {
    await client.set("/b", "1", { timeoutMs: 200 });
    return false;
  } catch {
    return true;
  }
}

/** A disk whose last room is what the reserve takes up. */
class FullDisk {
  freeBytes = ROOM;
  isFull = false;
  /** New files of the log that found no room. */
  refusals = 0;
  #files: ServerPorts["files"] | null = null;

  async hasReserve(): Promise<boolean> {
    return (await this.#files?.list("/data"))?.includes("reserve") ?? false;
  }

  under(ports: ServerPorts): ServerPorts {
    const { files } = ports;
    this.#files = files;
    return withFiles(ports, {
      open: async (path, options) => {
        if (options.create && path.startsWith("/data/log/") && this.isFull) {
          if (await this.hasReserve()) {
            this.refusals += 1;
            throw new ServerError("STORAGE_FULL", path);
          }
        }
        return files.open(path, options);
      },
      space: async () => ({ freeBytes: this.freeBytes, totalBytes: ROOM }),
    });
  }
}

/** Servers whose disks have as much room as `disk` says. */
function onDisk(disk: { readonly freeBytes: number }): Promise<Servers> {
  return Servers.start({}, (ports) =>
    withFiles(ports, {
      space: async () => ({ freeBytes: disk.freeBytes, totalBytes: ROOM }),
    }),
  );
}

/** All of them have found out. */
function untilFull(servers: Servers): Promise<void> {
  return until(() => servers.running.every((node) => node.notReady().join().includes("disk")));
}
