import { connect } from "@quorate/client";
import type { ServerPorts } from "@quorate/server";
import { describe, expect, it } from "vitest";
import { HangingDisk } from "./hanging-disk.ts";
import { Servers, until } from "./servers.ts";

/** The same ports, but whoever closes a view of an image waits for `before`. */
function withViewsClosed(ports: ServerPorts, before: () => Promise<void>): ServerPorts {
  const open: ServerPorts["images"]["open"] = async (path, options) => {
    const image = await ports.images.open(path, options);
    return {
      batch: () => image.batch(),
      getMany: (keys) => image.getMany(keys),
      view: () => {
        const view = image.view();
        const close = (): Promise<void> => before().then(() => view.close());
        return { next: (countMax, bytesMax) => view.next(countMax, bytesMax), close };
      },
      check: () => image.check(),
      close: () => image.close(),
    };
  };
  return { ...ports, images: { open } };
}

describe("a disk that does not answer", () => {
  it("keeps neither the others from serving nor its own node from ending", async () => {
    const disk = new HangingDisk();
    await using servers = await Servers.start({}, disk.adapt);
    await until(() => servers.leader >= 0);
    const victim = (servers.leader + 1) % 3;
    const others = servers.clients.filter((_, at) => at !== victim);
    await using client = await connect({ servers: others });
    disk.hang(victim);
    await client.create("/a", "1");
    await until(() => servers.running.some((node) => node.status().zxid > 0));
    const node = servers.node(victim);
    await node.stop();
    expect(await node.stopped).toMatchObject({ code: "STORAGE_FAILED" });
    await client.set("/a", "2");
  });

  it("loses its clients to servers that go on, session and all", async () => {
    const disk = new HangingDisk();
    await using servers = await Servers.start({}, disk.adapt);
    await until(() => servers.leader >= 0);
    const victim = (servers.leader + 1) % 3;
    const isThere = (at: number): boolean => servers.node(at).status().connections > 0;
    const [own = ""] = servers.clients.slice(victim);
    await using client = await connect({ servers: [own] });
    const { session } = client;
    await until(() => isThere(victim));
    disk.hang(victim);
    await client.create("/a", "1");
    expect(client.session).toBe(session);
    expect(isThere(victim)).toBe(false);
    expect(servers.node(victim).notReady()).toContain("the disk does not answer");
    disk.goOn();
    await until(() => servers.node(victim).notReady().length === 0);
    await client.set("/a", "2");
  });

  it("keeps no node that stops from taking no part any more", async () => {
    let hung = Promise.resolve();
    await using servers = await Servers.start({}, (ports) => withViewsClosed(ports, () => hung));
    await until(() => servers.leader >= 0);
    const { leader } = servers;
    const victim = (leader + 1) % 3;
    const node = servers.node(victim);
    const isHeard = (): boolean | undefined =>
      servers
        .node(leader)
        .status()
        .peers.find(({ name }) => name === `${victim + 1}`)?.isActive;
    await until(() => isHeard() === true);
    await node.backup({ isLocal: true });
    let goOn = (): void => {};
    hung = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    let hasStopped = false;
    const stopping = node.stop().then(() => {
      hasStopped = true;
    });
    await until(() => isHeard() === false);
    expect(hasStopped).toBe(false);
    goOn();
    await stopping;
    expect(await node.stopped).toBeNull();
  });
});
