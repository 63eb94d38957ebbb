import { connect } from "@quorate/client";
import { expect, test } from "vitest";
import { Servers, until } from "./servers.ts";

test("a node does not start under other limits than its log was applied under", async () => {
  await using servers = await Servers.start({ treeBytesMax: 64 << 20, sessionsMax: 50 });
  const client = await connect({ servers: servers.clients });
  await client.create("/kept", new Uint8Array(100_000));
  await client.close();
  await servers.stopNode(0);
  // Before any checkpoint: nothing but the identity knows of the limits.
  const other = servers.startNode(0, { treeBytesMax: 32 << 20, sessionsMax: 60 });
  await expect(other).rejects.toMatchObject({
    code: "LIMITS_MISMATCH",
    message: expect.stringMatching(
      /tree-bytes-max is 33554432 here and 67108864 .+; sessions-max is 60 here and 50 .+; to fit, start this node with --tree-bytes-max 67108864 --sessions-max 50$/,
    ),
  });
  const fewer = servers.startNode(0, { treeBytesMax: 64 << 20, sessionsMax: 60 });
  await expect(fewer).rejects.toThrow(/; to fit, start this node with --sessions-max 50$/);
  await servers.startNode(0);
  await servers.ready();
  await servers.agree();
});

test("a session that idles leaves next to nothing of its many answers in the tree", async () => {
  await using servers = await Servers.start();
  await using client = await connect({ servers: servers.clients, sessionTimeoutMs: 10_000 });
  await client.create("/a", "1");
  await servers.agree();
  const bytesBefore = servers.node(0).status().treeBytes;
  await Promise.all(Array.from({ length: 2_000 }, () => client.set("/a", "2")));
  await until(() => servers.running.every((node) => node.status().treeBytes < bytesBefore + 4_096));
  await client.set("/a", "3");
  await servers.agree();
});
