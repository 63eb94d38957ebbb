import { connect } from "@quorate/client";
import { startEnsemble } from "@quorate/server";
import { expect, it } from "vitest";

it("the metrics count what clients do", async () => {
  await using ensemble = await startEnsemble({ nodes: 1 });
  const [server = ""] = ensemble.servers;
  const counted = async (): Promise<ReadonlyMap<string, number>> => {
    const text = await (await fetch(`http://${server}/metrics`)).text();
    const lines = text.matchAll(/^quorate_(\w+)_total\{[^}]*\} (\d+)$/gmu);
    return new Map([...lines].map(([, name = "", value]) => [name, Number(value)]));
  };
  await using client = await connect({ servers: ensemble.servers });
  await using watch = await client.watch("/a", { mode: "recursive" });
  await client.create("/a", "1");
  await client.set("/a", "2");
  await client.get("/a");
  await client.get("/a", { consistency: "local" });
  const notices = watch[Symbol.asyncIterator]();
  await notices.next();
  await notices.next();
  const counts = await counted();
  expect(Object.fromEntries(counts)).toMatchObject({
    ...{ sessions_opened: 1, proposals: 2, reads: 2, linearizable_reads: 1, events: 2 },
    ...{ slow_consumers: 0, clients_refused: 0, sessions_expired: 0 },
  });
  for (const name of ["in", "out"]) {
    expect(counts.get(`client_frames_${name}`)).toBeGreaterThan(0);
    expect(counts.get(`client_bytes_${name}`)).toBeGreaterThan(0);
  }
});
