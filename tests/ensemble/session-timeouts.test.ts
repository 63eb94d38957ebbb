import { connect } from "@quorate/client";
import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { RawConnection, hello } from "../e2e/raw-connection.ts";
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

it("a session that moves to a server with a lower bound keeps its timeout", async () => {
  await using servers = await Servers.start();
  await servers.stopNode(2);
  await servers.startNode(2, { sessionTimeoutMaxMs: 4_000 });
  await servers.ready();
  const [first = "", , low = ""] = servers.clients;
  const raw = await RawConnection.open(first);
  const secret = randomBytes(16);
  raw.send(hello({ secret, timeoutMs: 20_000 }));
  const { session, zxid, historyId } = await raw.next("welcome");
  const moved = await RawConnection.open(low);
  moved.send(hello({ session, secret, timeoutMs: 20_000, lastZxid: zxid, historyId }));
  expect(await moved.next("welcome")).toMatchObject({ session, timeoutMs: 20_000 });
  const opened = await RawConnection.open(low);
  opened.send(hello({ timeoutMs: 20_000 }));
  expect(await opened.next("welcome")).toMatchObject({ timeoutMs: 4_000 });
  for (const connection of [raw, moved, opened]) connection.close();
});
