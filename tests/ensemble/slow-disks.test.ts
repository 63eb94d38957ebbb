import { setTimeout as pause } from "node:timers/promises";
import { expect, it } from "vitest";
import { withWrites } from "../support/faulty-files.ts";
import { Servers, until } from "./servers.ts";

const WRITE_MS = 250;

it("disks that are slow for all keep nobody from being elected", async () => {
  let writeMs = 0;
  await using servers = await Servers.start({}, (ports) =>
    withWrites(ports, async () => {
      if (writeMs > 0) await pause(writeMs);
    }),
  );
  await until(() => servers.leader >= 0);
  const former = servers.leader;
  writeMs = WRITE_MS;
  const stopping = servers.node(former).stop();
  await until(() => servers.leader >= 0 && servers.leader !== former);
  writeMs = 0;
  await stopping;
  expect(servers.leader).not.toBe(former);
});
