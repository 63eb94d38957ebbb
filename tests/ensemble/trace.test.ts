import { connect } from "@quorate/client";
import type { ServerPorts } from "@quorate/server";
import { replayTrace } from "@quorate/server";
import { describe, expect, it } from "vitest";
import { Servers, until } from "./servers.ts";

const TRACE = "/traces/core.trace";

/** Three servers and their files. */
async function start(settings: Parameters<typeof Servers.start>[0]) {
  const files: ServerPorts["files"][] = [];
  const servers = await Servers.start(settings, (ports, at) => {
    files[at] = ports.files;
    return ports;
  });
  const read = async (at: number, path = TRACE): Promise<Uint8Array> => {
    const bytes = (await files[at]?.readWhole(path)) ?? null;
    if (bytes === null) throw new Error(`no ${path} on node ${at + 1}`);
    return bytes;
  };
  return { servers, read };
}

async function write(servers: Servers, count: number, suffix = ""): Promise<void> {
  await using client = await connect({ servers: servers.clients });
  await client.create("/a", "0");
  const writes = Array.from({ length: count }, (_, at) => client.set("/a", `${at}${suffix}`));
  await Promise.all([...writes, client.get("/a")]);
}

describe("a server that is told to trace its core", () => {
  it("writes what another core does again, also after a restart and cut anywhere", async () => {
    const { servers, read } = await start({ trace: TRACE });
    await using _servers = servers;
    await write(servers, 300);
    await until(() => servers.leader >= 0);
    const { leader } = servers;
    await servers.stopNode(leader);
    await servers.startNode(leader);
    await servers.ready();
    await servers.agree();
    const terms = servers.running.map((node) => node.status().term);
    for (const at of [0, 1, 2]) await servers.stopNode(at);

    for (const at of [0, 1, 2]) {
      const bytes = await read(at);
      const summary = await replayTrace([bytes]);
      expect(summary).toMatchObject({ end: "stopped", divergence: null, broken: null });
      expect(summary.lastTerm).toBeGreaterThanOrEqual(Math.max(...terms));
      expect(summary.commitIndex).toBeGreaterThan(1);
      const half = await replayTrace([bytes.subarray(0, bytes.length - 40)]);
      expect(half).toMatchObject({ end: "torn", divergence: null, broken: null });
    }
    const before = await replayTrace([await read(leader, `${TRACE}.1`)]);
    expect(before).toMatchObject({ end: "stopped", divergence: null, broken: null });
    expect(before.leaders.some(({ leader: led }) => led === before.node)).toBe(true);
    const after = await replayTrace([await read(leader)]);
    expect(after.firstTerm).toBeGreaterThanOrEqual(before.lastTerm);
  });

  it("goes on when the trace has become as long as it may", async () => {
    const { servers, read } = await start({ trace: TRACE, traceBytesMax: 65_536 });
    await using _servers = servers;
    await write(servers, 100, "x".repeat(2_000));
    await servers.agree();
    for (const at of [0, 1, 2]) {
      await servers.stopNode(at);
      const bytes = await read(at);
      expect(bytes.length).toBeLessThanOrEqual(65_536);
      const summary = await replayTrace([bytes]);
      expect(summary).toMatchObject({ end: "full", divergence: null, broken: null });
    }
  });

  it("goes on where no trace can be written", async () => {
    const { servers } = await start({ trace: "/data" });
    await using _servers = servers;
    await write(servers, 10);
    await servers.agree();
  });
});
