import { connect } from "@quorate/client";
import { describe, expect, it } from "vitest";
import { LEADER_NOT_HEARD } from "../../packages/server/src/readiness.ts";
import { Servers, until } from "./servers.ts";

const LARGE = new Uint8Array(500_000).fill(7);
const WRITES = 40;

it("a node that comes back is ready only when it has what was written meanwhile", async () => {
  await using servers = await Servers.start({
    logSegmentBytes: 1_048_576,
    memoryLogBytesMax: 16_777_216,
  });
  const leader = servers.leader;
  const follower = (leader + 1) % 3;
  await using client = await connect({ servers: servers.clients });
  await client.create("/bulk");
  await servers.stopNode(follower);
  for (let n = 0; n < WRITES; n += 1) await client.create(`/bulk/${n}`, LARGE);
  const node = await servers.startNode(follower);
  const giveUpMs = performance.now() + 20_000;
  // At every turn: it is caught at the first at which it says so.
  while (node.notReady().length > 0 && performance.now() < giveUpMs) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  expect(node.notReady()).toEqual([]);
  expect(node.status().zxid).toBe(servers.node(leader).status().zxid);
}, 60_000);

describe("a node that nobody has asked yet", () => {
  /** A follower that has come back, and its address. */
  async function cameBack(servers: Servers): Promise<string> {
    const follower = (servers.leader + 1) % 3;
    await servers.stopNode(follower);
    const node = await servers.startNode(follower);
    await until(() => node.status().notReady.join() === LEADER_NOT_HEARD);
    return `http://${servers.clients[follower]}`;
  }

  it("answers the first request for /readyz with yes", async () => {
    await using servers = await Servers.start();
    const response = await fetch(`${await cameBack(servers)}/readyz`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ ok: true, reasons: [] });
  });

  it("is ready in /status, too", async () => {
    await using servers = await Servers.start();
    const address = await cameBack(servers);
    await until(async () => {
      const response = await fetch(`${address}/status`);
      return /"notReady": \[\]/.test(await response.text());
    });
  });
});
