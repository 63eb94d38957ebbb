import { connect } from "@quorate/client";
import { describe, expect, it } from "vitest";
import { HangingDisk } from "./hanging-disk.ts";
import { Servers, until } from "./servers.ts";

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
});
