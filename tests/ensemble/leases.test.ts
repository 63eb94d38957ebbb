import { connect } from "@quorate/client";
import { expect, it } from "vitest";
import { Servers, until } from "./servers.ts";

async function hasLease(server: string): Promise<boolean> {
  const text = await (await fetch(`http://${server}/metrics`)).text();
  return /^quorate_has_lease\{[^}]*\} 1$/mu.test(text);
}

it("a leader with leases answers reads by them, and another takes over once its promises are over", async () => {
  await using servers = await Servers.start({ leaseReads: true });
  await until(() => servers.leader >= 0);
  const former = servers.leader;
  const server = servers.clients[former] ?? "";
  await until(() => hasLease(server));
  await using client = await connect({ servers: servers.clients });
  await client.create("/a", "1");
  const values = await Promise.all(Array.from({ length: 50 }, () => client.get("/a")));
  expect(new Set(values.map(({ data }) => new TextDecoder().decode(data)))).toEqual(new Set(["1"]));
  await servers.stopNode(former);
  await until(() => servers.leader >= 0 && servers.leader !== former);
  await client.set("/a", "2");
  expect(new TextDecoder().decode((await client.get("/a")).data)).toBe("2");
  await servers.startNode(former);
  await servers.ready();
  await servers.agree();
});

it("a leader without leases never has one", async () => {
  await using servers = await Servers.start();
  await until(() => servers.leader >= 0);
  await using client = await connect({ servers: servers.clients });
  await client.create("/a", "1");
  await client.get("/a");
  for (const server of servers.clients) expect(await hasLease(server)).toBe(false);
});
