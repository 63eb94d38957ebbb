import {
  PROTOCOL_LIMITS,
  fencingToken,
  writeSeq,
  zxid,
  type ClientMessage,
} from "@quorate/kv-store/protocol";
import { describe, expect, test } from "vitest";
import type { FakeConnection, FakeNetwork } from "../../../tests/support/client/fake-network.ts";
import { only } from "../../../tests/support/client/fixtures.ts";
import { openClient, outcomeOf } from "../../../tests/support/client/open-client.ts";
import type { QuorateClient } from "./api.ts";
import { writeBytes } from "./checked-op.ts";

const { outstandingMax, outstandingBytesMax } = PROTOCOL_LIMITS;

/** More writes than may be under way, by number or by bytes. */
const floods: readonly (readonly [string, (client: QuorateClient) => void])[] = [
  [
    "number",
    (client) => {
      for (let i = 0; i <= outstandingMax; i += 1) void client.delete("/a");
    },
  ],
  [
    "bytes",
    (client) => {
      // Eight take up all there is.
      const op = { kind: "set", path: "/a", data: new Uint8Array(0), version: null } as const;
      const data = new Uint8Array(outstandingBytesMax / 8 - writeBytes([op]));
      for (let i = 0; i < 10; i += 1) void client.set("/a", data);
    },
  ],
];

function refuse(connection: FakeConnection, from: number): void {
  const fromSeq = writeSeq(from);
  connection.send({ kind: "refused", fromSeq, code: "DISK_FULL", retryAfterMs: 2_000 });
}

function confirmWatch(connection: FakeConnection): void {
  const { cxid, watchId } = only(connection.takeKind("addWatch"));
  connection.send({ kind: "watchAdded", cxid, watchId, zxid: zxid(100) });
}

/** The connection is gone, and the next one stands; what was sent on it first was not looked at. */
async function reconnect(net: FakeNetwork, connection: FakeConnection): Promise<void> {
  connection.cut();
  await net.clock.settle();
  net.last.take();
  net.last.welcome();
  await net.clock.settle();
}

function kindsOf(messages: readonly ClientMessage[]): readonly string[] {
  return messages.map((message) => (message.kind === "read" ? message.query.kind : message.kind));
}

describe.each(floods)(
  "while as many writes as may be under way, by %s, are refused",
  (_by, flood) => {
    test("an observer asks who leads", async () => {
      const { net, client, connection } = await openClient();
      flood(client);
      await net.clock.settle();
      connection.take();
      refuse(connection, 1);
      void client.election("/e").observe()[Symbol.asyncIterator]().next();
      await net.clock.settle();
      confirmWatch(connection);
      await net.clock.settle();
      expect(kindsOf(connection.take())).toEqual(["holder"]);
    });

    test("a contender asks on a new connection whether its turn has come", async () => {
      const { net, client, connection } = await openClient();
      const acquiring = outcomeOf(client.lock("/l").acquire());
      await net.clock.settle();
      const contender = "/l/c-0000000001";
      const token = fencingToken(101);
      connection.reply(1, 101, { kind: "acquire", contender, token, held: false });
      flood(client);
      await net.clock.settle();
      await reconnect(net, connection);
      const { cxid } = only(net.last.takeKind("read"));
      refuse(net.last, 2);
      const value = { kind: "contender", state: "held" } as const;
      net.last.send({ kind: "readReply", cxid, zxid: zxid(102), reply: { ok: true, value } });
      await net.clock.settle();
      expect(acquiring.state).toBe("done");
    });
  },
);

test("as many reads as writes may be under way, the rest waits", async () => {
  const { net, client, connection } = await openClient();
  for (let i = 0; i < outstandingMax; i += 1) void client.delete("/a");
  for (let i = 0; i <= outstandingMax; i += 1) void client.exists("/a");
  await net.clock.settle();
  const sent = connection.take();
  const reads = sent.flatMap((message) => (message.kind === "read" ? [message.cxid] : []));
  expect(sent).toHaveLength(2 * outstandingMax);
  expect(reads).toHaveLength(outstandingMax);
  const value = { kind: "exists", stat: null } as const;
  connection.send({
    kind: "readReply",
    cxid: reads[0]!,
    zxid: zxid(101),
    reply: { ok: true, value },
  });
  await net.clock.settle();
  expect(connection.takeKind("read")).toHaveLength(1);
});

test("a question of the client's own that was under way comes first on the next connection, too", async () => {
  const { net, client, connection } = await openClient();
  void client.election("/e").observe()[Symbol.asyncIterator]().next();
  await net.clock.settle();
  confirmWatch(connection);
  void client.exists("/a");
  void client.delete("/a");
  await net.clock.settle();
  expect(kindsOf(connection.take())).toEqual(["holder", "exists", "write"]);
  await reconnect(net, connection);
  expect(kindsOf(net.last.take())).toEqual(["ping", "addWatch", "holder", "write", "exists"]);
});

test("a read that is sent again does not wait for a refused write that was called after it", async () => {
  const { net, client, connection } = await openClient();
  void client.delete("/a");
  const read = outcomeOf(client.exists("/a"));
  void client.delete("/b");
  await net.clock.settle();
  await reconnect(net, connection);
  const { cxid } = only(net.last.takeKind("read"));
  refuse(net.last, 2);
  net.last.reply(1, 101, { kind: "delete" });
  const value = { kind: "exists", stat: null } as const;
  net.last.send({ kind: "readReply", cxid, zxid: zxid(101), reply: { ok: true, value } });
  await net.clock.settle();
  expect(read.state).toBe("done");
});
