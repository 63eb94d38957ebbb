import { connect } from "@quorate/client";
import { expect, test } from "vitest";
import { Servers } from "./servers.ts";

test("a node does not start under other limits than its log was applied under", async () => {
  await using servers = await Servers.start({ treeBytesMax: 64 << 20 });
  const client = await connect({ servers: servers.clients });
  await client.create("/kept", new Uint8Array(100_000));
  await client.close();
  await servers.stopNode(0);
  // Before any checkpoint: nothing but the identity knows of the limits.
  const other = servers.startNode(0, { treeBytesMax: 32 << 20 });
  await expect(other).rejects.toMatchObject({
    code: "LIMITS_MISMATCH",
    message: expect.stringContaining("tree-bytes-max is 33554432 here and 67108864"),
  });
  await servers.startNode(0);
  await servers.ready();
  await servers.agree();
});
