import { connect, QuorateError, type QuorateClient } from "@quorate/client";
import { startEnsemble, type Ensemble } from "@quorate/server";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe("the tree through the SDK", () => {
  let ensemble: Ensemble;
  let client: QuorateClient;

  beforeAll(async () => {
    ensemble = await startEnsemble();
    client = await connect({ servers: ensemble.servers });
  });

  afterAll(async () => {
    await client.close();
    await ensemble.stop();
  });

  it("creates, reads, changes and deletes", async () => {
    expect(await client.create("/a", "one")).toBe("/a");
    const first = await client.get("/a");
    expect(text(first.data)).toBe("one");
    expect(first.stat.version).toBe(0);
    const stat = await client.set("/a", "two", { version: 0 });
    expect(stat.version).toBe(1);
    expect(stat.mzxid).toBeGreaterThan(stat.czxid);
    await client.delete("/a", { version: 1 });
    expect(await client.exists("/a")).toBeNull();
  });

  it("refuses with codes and changes nothing", async () => {
    const code = async (work: Promise<unknown>): Promise<string> =>
      work.then(
        () => "none",
        (error: unknown) => (error instanceof QuorateError ? error.code : String(error)),
      );
    await client.create("/refused");
    expect(await code(client.create("/refused"))).toBe("NODE_EXISTS");
    expect(await code(client.create("/missing/child"))).toBe("NO_NODE");
    expect(await code(client.set("/refused", "x", { version: 7 }))).toBe("BAD_VERSION");
    expect(await code(client.get("/missing"))).toBe("NO_NODE");
    expect(await code(client.create("no-slash"))).toBe("BAD_PATH");
    await client.create("/refused/child");
    expect(await code(client.delete("/refused"))).toBe("NOT_EMPTY");
    expect((await client.get("/refused")).stat.version).toBe(0);
  });

  it("numbers sequential znodes", async () => {
    await client.create("/queue");
    const paths = [];
    for (let at = 0; at < 3; at += 1) {
      paths.push(await client.create("/queue/item-", "", { mode: "persistentSequential" }));
    }
    expect(paths).toEqual([
      "/queue/item-0000000000",
      "/queue/item-0000000001",
      "/queue/item-0000000002",
    ]);
  });

  it("does all of a multi or nothing", async () => {
    await client.create("/multi", "0");
    const failing = client.multi([
      { kind: "set", path: "/multi", data: new Uint8Array([1]), version: null },
      { kind: "check", path: "/multi", version: 99 },
    ]);
    await expect(failing).rejects.toMatchObject({ code: "BAD_VERSION", opIndex: 1 });
    expect(text((await client.get("/multi")).data)).toBe("0");
    const replies = await client.multi([
      { kind: "create", path: "/multi/a", data: new Uint8Array(), mode: "persistent" },
      { kind: "create", path: "/multi/b", data: new Uint8Array(), mode: "persistent" },
    ]);
    expect(replies.map((reply) => reply.kind)).toEqual(["create", "create"]);
    const { names } = await client.children("/multi");
    expect(names).toEqual(["a", "b"]);
  });

  it("lists children in pages", async () => {
    await client.create("/many");
    const wanted = Array.from({ length: 2_500 }, (_, at) => `n-${String(at).padStart(5, "0")}`);
    await Promise.all(wanted.map((name) => client.create(`/many/${name}`)));
    expect((await client.children("/many")).names).toEqual(wanted);
  });

  it("answers a read after the writes that were asked before it", async () => {
    await client.create("/fifo", "0");
    void client.set("/fifo", "1");
    void client.set("/fifo", "2");
    expect(text((await client.get("/fifo", { consistency: "local" })).data)).toBe("2");
  });

  it("shows on every node what was acknowledged", async () => {
    await client.create("/everywhere", "yes");
    for (const server of ensemble.servers) {
      await using other = await connect({ servers: [server] });
      expect(text((await other.get("/everywhere")).data)).toBe("yes");
    }
  });
});
