import { writeSeq, zxid, type ClientMessage } from "@quorate/kv-store/protocol";
import { describe, expect, test } from "vitest";
import { openClient } from "../../../tests/support/client/open-client.ts";

describe("at a ping", () => {
  test("many replies are acknowledged by a number without a write, a few with the next write", async () => {
    const { net, client, connection } = await openClient({ sessionTimeoutMs: 10_000 });
    let pings = 1;
    const nextPing = async (): Promise<readonly ClientMessage[]> => {
      await net.clock.advance(2_500);
      pings += 1;
      connection.send({ kind: "pong", pingId: pings, zxid: zxid(100) });
      return connection.take();
    };
    const remove = async (from: number, to: number): Promise<void> => {
      for (let seq = from; seq <= to; seq += 1) void client.delete("/a");
      await net.clock.settle();
      connection.take();
      for (let seq = from; seq <= to; seq += 1) connection.reply(seq, 101, { kind: "delete" });
    };
    await remove(1, 10);
    expect(await nextPing()).toMatchObject([{ kind: "ping" }]);
    await remove(11, 11);
    expect(await nextPing()).toMatchObject([{ kind: "ping" }]);
    await remove(12, 22);
    expect(await nextPing()).toMatchObject([
      { kind: "ping" },
      { kind: "skip", writeSeq: 23, ackedSeq: 22 },
    ]);
    expect(await nextPing()).toMatchObject([{ kind: "ping" }]);
    connection.reply(23, 102);
    expect(await nextPing()).toMatchObject([{ kind: "ping" }]);
    void client.delete("/a");
    await net.clock.settle();
    expect(connection.take()).toMatchObject([{ kind: "write", writeSeq: 24, ackedSeq: 23 }]);
  });

  test("none while a write is under way, and one at a time, whatever becomes of connections", async () => {
    const { net, client, connection } = await openClient({ sessionTimeoutMs: 10_000 });
    for (let seq = 1; seq <= 20; seq += 1) void client.delete("/a");
    await net.clock.settle();
    connection.take();
    for (let seq = 1; seq < 20; seq += 1) connection.reply(seq, 101, { kind: "delete" });
    await net.clock.advance(2_500);
    connection.send({ kind: "pong", pingId: 2, zxid: zxid(100) });
    expect(connection.take()).toMatchObject([{ kind: "ping" }]);
    connection.reply(20, 101, { kind: "delete" });
    await net.clock.advance(2_500);
    const acknowledgement = { kind: "skip", writeSeq: 21, ackedSeq: 20 };
    expect(connection.take()).toMatchObject([{ kind: "ping" }, acknowledgement]);
    connection.cut();
    await net.clock.settle();
    net.last.take();
    net.last.welcome({ lastWriteSeq: writeSeq(20) });
    await net.clock.settle();
    expect(net.last.take()).toMatchObject([{ kind: "ping" }, acknowledgement]);
    net.last.reply(21, 102);
    await net.clock.advance(2_500);
    expect(net.last.take()).toMatchObject([{ kind: "ping" }]);
  });
});
