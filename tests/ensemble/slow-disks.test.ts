import { expect, it } from "vitest";
import { SlowDisks } from "./hanging-disk.ts";
import { Servers, until } from "./servers.ts";

const WRITE_MS = 250;

it("disks that are slow for all keep nobody from being elected", async () => {
  const disks = new SlowDisks();
  await using servers = await Servers.start({}, disks.adapt);
  await until(() => servers.leader >= 0);
  const former = servers.leader;
  disks.writeMs = WRITE_MS;
  const stopping = servers.node(former).stop();
  await until(() => servers.leader >= 0 && servers.leader !== former);
  disks.writeMs = 0;
  await stopping;
  expect(servers.leader).not.toBe(former);
});
