import { connect } from "@quorate/client";
import { describe, expect, it } from "vitest";
import { Servers, until } from "./servers.ts";

const PIECE = new Uint8Array(2_000).fill(7);
/** What the log in memory may hold; the least the limits allow. */
const MEMORY_LOG_BYTES = 16_777_216;
const LARGE = new Uint8Array(60_000).fill(7);

describe("a node that was away for longer than the log reaches", () => {
  it("is brought up to date by a snapshot, keeps it over a restart, and agrees with the others", async () => {
    await using servers = await Servers.start({
      checkpointBytes: 1_048_576,
      logSegmentBytes: 1_048_576,
      memoryLogBytesMax: MEMORY_LOG_BYTES,
    });
    const away = (servers.leader + 1) % 3;
    await using client = await connect({ servers: servers.clients });
    await client.create("/before", "1");
    await servers.stopNode(away);
    await client.create("/bulk");
    for (let round = 0; round < 12; round += 1) {
      const paths = Array.from({ length: 40 }, (_, at) => `/bulk/${round}-${at}`);
      await Promise.all(paths.map((path) => client.create(path, LARGE)));
    }
    await until(() => servers.running.every((node) => node.status().checkpointZxid > 300));
    const back = await servers.startNode(away);
    await servers.ready();
    await servers.agree();
    const metrics = await (await fetch(`http://${servers.clients[away]}/metrics`)).text();
    expect(metrics).toMatch(/^quorate_snapshots_received_total\S* 1$/m);
    expect(back.status().znodes).toBe(servers.node(servers.leader).status().znodes);
    await servers.stopNode(away);
    await client.set("/before", "2");
    await servers.startNode(away);
    await servers.ready();
    await servers.agree();
  });

  it("starts from its own image and a short log after a restart of all", async () => {
    await using servers = await Servers.start({ checkpointBytes: 65_536 });
    const before = await connect({ servers: servers.clients });
    await before.create("/bulk");
    for (let round = 0; round < 6; round += 1) {
      const paths = Array.from({ length: 40 }, (_, at) => `/bulk/${round}-${at}`);
      await Promise.all(paths.map((path) => before.create(path, PIECE)));
    }
    await before.close();
    await until(() => servers.running.every((node) => node.status().checkpointZxid > 100));
    await Promise.all([0, 1, 2].map((at) => servers.stopNode(at)));
    await Promise.all([0, 1, 2].map((at) => servers.startNode(at)));
    await servers.ready();
    await servers.agree();
    await using after = await connect({ servers: servers.clients });
    expect((await after.children("/bulk")).names).toHaveLength(240);
  });
});
