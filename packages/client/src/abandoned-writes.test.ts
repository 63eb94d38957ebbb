import { writeSeq, type ClientMessage, type ServerMessage } from "@quorate/kv-store/protocol";
import { expect, test } from "vitest";
import { openClient, outcomeOf } from "../../../tests/support/client/open-client.ts";

function refused(fromSeq: number): ServerMessage {
  return { kind: "refused", fromSeq: writeSeq(fromSeq), code: "DISK_FULL", retryAfterMs: 50 };
}

/** Numbers of writes as they are, of skips below zero. */
function sentOf(messages: readonly ClientMessage[]): number[] {
  return messages.flatMap((message) => {
    if (message.kind === "write") return [message.writeSeq];
    return message.kind === "skip" ? [-Number(message.writeSeq)] : [];
  });
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

test("a refusal whose first write nobody waits for any more is probed like any other, without a pause", async () => {
  const { net, client, connection } = await openClient();
  void outcomeOf(client.set("/a", "x", { timeoutMs: 1_000 }));
  for (let i = 2; i <= 60; i += 1) void client.delete("/a");
  await net.clock.settle();
  await net.clock.advance(1_000);
  connection.take();
  connection.send(refused(1));
  await net.clock.settle();
  expect(sentOf(connection.take())).toEqual([-1, ...numbers(2, 16)]);
  // That a skip is taken says nothing of the writes behind it.
  connection.reply(1, 101);
  await net.clock.settle();
  expect(sentOf(connection.take())).toEqual([17]);
  connection.reply(2, 102, { kind: "delete" });
  await net.clock.settle();
  expect(sentOf(connection.take())).toEqual(numbers(18, 60));
});

test("skips in a row are overcome, however many they are", async () => {
  const { net, client, connection } = await openClient();
  for (let i = 1; i <= 40; i += 1) {
    void outcomeOf(client.set("/a", "x", { timeoutMs: 1_000 }));
  }
  await net.clock.advance(1_000);
  connection.take();
  void client.exists("/a");
  connection.onMessage = (message) => {
    if (message.kind === "skip") connection.reply(message.writeSeq, 101);
    else if (message.kind === "read") connection.onMessage = null;
  };
  connection.send(refused(1));
  await net.clock.settle();
  expect(connection.onMessage).toBeNull();
});

test("of what has to be sent again, that is skipped for which nobody waits any more", async () => {
  const { net, client, connection } = await openClient();
  void client.set("/a", "x");
  void outcomeOf(client.set("/a", "x", { timeoutMs: 1_000 }));
  void client.set("/a", "x");
  await net.clock.advance(1_000);
  connection.take();
  connection.send(refused(1));
  await net.clock.advance(80);
  expect(sentOf(connection.take())).toEqual([1, -2, 3]);
});

test("a refusal of what was answered already holds nothing up once it is answered again", async () => {
  const { net, client, connection } = await openClient();
  void client.delete("/a");
  void client.delete("/b");
  await net.clock.settle();
  connection.reply(2, 102, { kind: "delete" });
  connection.cut();
  await net.clock.settle();
  net.last.welcome();
  await net.clock.settle();
  expect(sentOf(net.last.take())).toEqual([1, 2]);
  net.last.send(refused(2));
  await net.clock.settle();
  net.last.reply(2, 102, { kind: "delete" });
  net.last.reply(1, 101, { kind: "delete" });
  void client.exists("/a");
  await net.clock.settle();
  expect(net.last.takeKind("read")).toHaveLength(1);
});
