import { connect } from "@quorate/client";
import { describe, expect, it } from "vitest";
import { Servers, until } from "./servers.ts";
import { withWrites } from "./with-writes.ts";

describe("a disk that does not answer", () => {
  it("keeps neither the others from serving nor its own node from ending", async () => {
    let hung = -1;
    await using servers = await Servers.start({}, (ports, at) =>
      withWrites(ports, async () => {
        if (hung === at) await new Promise(() => {});
      }),
    );
    await until(() => servers.leader >= 0);
    const victim = (servers.leader + 1) % 3;
    const others = servers.clients.filter((_, at) => at !== victim);
    await using client = await connect({ servers: others });
    hung = victim;
    await client.create("/a", "1");
    await until(() => servers.running.some((node) => node.status().zxid > 0));
    const node = servers.node(victim);
    await node.stop();
    expect(await node.stopped).toMatchObject({ code: "STORAGE_FAILED" });
    await client.set("/a", "2");
  });

  it("loses its clients to servers that go on, session and all", async () => {
    let hung = -1;
    let goOn = (): void => {};
    const hang = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    await using servers = await Servers.start({}, (ports, at) =>
      withWrites(ports, async () => {
        if (hung === at) await hang;
      }),
    );
    await until(() => servers.leader >= 0);
    const victim = (servers.leader + 1) % 3;
    const isThere = (at: number): boolean => servers.node(at).status().connections > 0;
    const [own = ""] = servers.clients.slice(victim);
    await using client = await connect({ servers: [own] });
    const { session } = client;
    await until(() => isThere(victim));
    hung = victim;
    await client.create("/a", "1");
    expect(client.session).toBe(session);
    expect(isThere(victim)).toBe(false);
    expect(servers.node(victim).notReady()).toContain("the disk does not answer");
    goOn();
    await until(() => servers.node(victim).notReady().length === 0);
    await client.set("/a", "2");
  });
});
