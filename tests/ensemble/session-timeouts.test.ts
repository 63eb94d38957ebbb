import { connect } from "@quorate/client";
import { expect, it } from "vitest";
import { Servers } from "./servers.ts";

it("session timeouts are brought into the bounds that the servers are told", async () => {
  await using servers = await Servers.start({
    sessionTimeoutMinMs: 4_000,
    sessionTimeoutMaxMs: 6_000,
  });
  const given: number[] = [];
  for (const sessionTimeoutMs of [1_500, 5_000, 60_000]) {
    await using client = await connect({ servers: servers.clients, sessionTimeoutMs });
    given.push(client.sessionTimeoutMs);
  }
  expect(given).toEqual([4_000, 5_000, 6_000]);
});
