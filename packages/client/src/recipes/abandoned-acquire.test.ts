import {
  fencingToken,
  writeSeq,
  zxid,
  type ErrorCode,
  type FencingToken,
  type ServerMessage,
  type WriteReply,
} from "@quorate/kv-store/protocol";
import { describe, expect, test } from "vitest";
import type { FakeConnection } from "../../../../tests/support/client/fake-network.ts";
import { errorOf, openClient, outcomeOf } from "../../../../tests/support/client/open-client.ts";

function refused(code: ErrorCode, retryAfterMs: number): ServerMessage {
  return { kind: "refused", fromSeq: writeSeq(1), code, retryAfterMs };
}

/** From now on disks are full: what grows the tree is refused, a skip, a delete or a read is not. */
function fillDisks(connection: FakeConnection): void {
  connection.onMessage = (message) => {
    if (message.kind === "skip") {
      connection.reply(message.writeSeq, 101);
    } else if (message.kind === "write" && message.ops[0]?.kind === "acquire") {
      connection.send(refused("DISK_FULL", 600));
    } else if (message.kind === "write") {
      connection.reply(message.writeSeq, 102, { kind: "delete" });
    } else if (message.kind === "read") {
      const reply = { ok: true, value: { kind: "exists", stat: null } } as const;
      connection.send({ kind: "readReply", cxid: message.cxid, zxid: zxid(102), reply });
    }
  };
}

describe("an acquire that was sent, given up before it is answered", () => {
  test("and after it was refused: skipped, what follows does not wait for it", async () => {
    const { client, connection, net } = await openClient();
    fillDisks(connection);
    const failure = errorOf(client.lock("/locks/a").acquire({ timeoutMs: 500 }));
    await net.clock.settle();
    const read = outcomeOf(client.exists("/a"));
    const write = outcomeOf(client.delete("/a"));
    await net.clock.advance(500);
    expect(await failure).toMatchObject({ code: "TIMEOUT", outcomeUnknown: false });
    await net.clock.advance(200);
    expect([read.state, write.state]).toEqual(["done", "done"]);
  });

  test("and then refused: skipped, what follows does not wait for it", async () => {
    const { client, connection, net } = await openClient();
    const failure = errorOf(client.lock("/locks/a").acquire({ timeoutMs: 500 }));
    await net.clock.advance(500);
    expect(await failure).toMatchObject({ code: "TIMEOUT", outcomeUnknown: false });
    fillDisks(connection);
    connection.send(refused("DISK_FULL", 600));
    const read = outcomeOf(client.exists("/a"));
    const write = outcomeOf(client.delete("/a"));
    await net.clock.settle();
    expect([read.state, write.state]).toEqual(["done", "done"]);
  });

  test("and while there is no connection: skipped on the next", async () => {
    const { client, connection, net } = await openClient();
    const failure = errorOf(client.lock("/locks/a").acquire({ timeoutMs: 500 }));
    await net.clock.settle();
    connection.cut();
    await net.clock.settle();
    net.last.take();
    await net.clock.advance(500);
    expect(await failure).toMatchObject({ code: "TIMEOUT", outcomeUnknown: false });
    await net.clock.advance(500);
    net.last.welcome();
    await net.clock.settle();
    expect(net.last.takeKind("skip")).toMatchObject([{ writeSeq: 1 }]);
  });

  test("and before its connection breaks: skipped on the next", async () => {
    const { client, connection, net } = await openClient();
    const failure = errorOf(client.lock("/locks/a").acquire({ timeoutMs: 500 }));
    await net.clock.advance(500);
    expect(await failure).toMatchObject({ code: "TIMEOUT", outcomeUnknown: false });
    connection.cut();
    await net.clock.settle();
    net.last.take();
    net.last.welcome();
    await net.clock.settle();
    expect(net.last.take()).toMatchObject([{ kind: "ping" }, { kind: "skip", writeSeq: 1 }]);
    net.last.reply(1, 101);
    await net.clock.settle();
    expect(net.last.take()).toEqual([]);
  });

  test("skipped, and yet in the log already: given back", async () => {
    const { client, connection, net } = await openClient();
    const failure = errorOf(client.lock("/locks/a").acquire({ timeoutMs: 100 }));
    await net.clock.settle();
    connection.send(refused("OVERLOADED", 200));
    await net.clock.advance(100);
    expect(await failure).toMatchObject({ code: "TIMEOUT", outcomeUnknown: false });
    connection.take();
    await net.clock.advance(200);
    expect(connection.take()).toMatchObject([{ kind: "skip", writeSeq: 1 }]);
    const contender = "/locks/a/c-0000000001";
    const token = fencingToken(101);
    connection.reply(1, 101, { kind: "acquire", contender, token, held: true });
    await net.clock.settle();
    expect(connection.take()).toMatchObject([
      { kind: "write", writeSeq: 2, ops: [{ kind: "release", token }] },
    ]);
  });

  test("its error says why it had to wait", async () => {
    const { client, connection, net } = await openClient();
    const failure = errorOf(client.lock("/locks/a").acquire({ timeoutMs: 100 }));
    const behind = errorOf(client.lock("/locks/b").acquire({ timeoutMs: 100 }));
    await net.clock.settle();
    connection.send(refused("DISK_FULL", 600));
    const unsent = errorOf(client.lock("/locks/c").acquire({ timeoutMs: 100 }));
    await net.clock.advance(100);
    for (const error of await Promise.all([failure, behind, unsent])) {
      expect(error).toMatchObject({
        code: "TIMEOUT",
        outcomeUnknown: false,
        retryable: true,
        cause: { code: "DISK_FULL" },
      });
    }
    net.answer = () => "refuse";
    connection.cut();
    const lost = errorOf(client.lock("/locks/a").acquire({ timeoutMs: 100 }));
    await net.clock.advance(100);
    expect(await lost).toMatchObject({ code: "TIMEOUT", cause: { code: "CONNECTION_FAILED" } });
  });
});

describe("tryAcquire behind an acquire of the same client that was given up", () => {
  const TOKEN = fencingToken(101);
  const held = (token: FencingToken): WriteReply => {
    return { kind: "acquire", contender: `/locks/a/c-${token}`, token, held: true };
  };
  const lockHeld = (seq: number): ServerMessage => {
    const outcome = { ok: false, zxid: zxid(102), code: "LOCK_HELD", opIndex: 0 } as const;
    return { kind: "writeReply", writeSeq: writeSeq(seq), outcome };
  };

  test("asks again once that has been given back: nobody else holds the lock", async () => {
    const { client, connection, net } = await openClient();
    const lock = client.lock("/locks/a");
    const failure = errorOf(lock.tryAcquire({ timeoutMs: 100 }));
    await net.clock.advance(100);
    expect(await failure).toMatchObject({ code: "TIMEOUT" });
    const second = lock.tryAcquire();
    await net.clock.settle();
    connection.take();
    connection.reply(1, 101, held(TOKEN));
    connection.send(lockHeld(2));
    await net.clock.settle();
    expect(connection.takeKind("write")).toMatchObject([
      { writeSeq: 3, ops: [{ kind: "release", token: TOKEN }] },
      { writeSeq: 4, ops: [{ kind: "acquire", wait: false }] },
    ]);
    connection.reply(3, 103, { kind: "release" });
    connection.reply(4, 104, held(fencingToken(104)));
    expect((await second)?.token).toBe(104);
  });

  test("only once, and only at the same lock: then somebody else holds it", async () => {
    const { client, connection, net } = await openClient();
    const failure = errorOf(client.lock("/locks/a").tryAcquire({ timeoutMs: 100 }));
    await net.clock.advance(100);
    await failure;
    const same = client.lock("/locks/a").tryAcquire();
    const other = client.lock("/locks/b").tryAcquire();
    await net.clock.settle();
    connection.send(lockHeld(1), lockHeld(2), lockHeld(3));
    expect(await other).toBeNull();
    await net.clock.settle();
    connection.send(lockHeld(4));
    expect(await same).toBeNull();
  });

  test("its own time goes on meanwhile", async () => {
    const { client, connection, net } = await openClient();
    const lock = client.lock("/locks/a");
    const failure = errorOf(lock.tryAcquire({ timeoutMs: 100 }));
    await net.clock.advance(100);
    await failure;
    const second = errorOf(lock.tryAcquire({ timeoutMs: 100 }));
    await net.clock.advance(60);
    connection.reply(1, 101, held(TOKEN));
    connection.send(lockHeld(2));
    await net.clock.advance(40);
    expect(await second).toMatchObject({ code: "TIMEOUT", outcomeUnknown: false });
    connection.take();
    connection.reply(4, 104, held(fencingToken(104)));
    await net.clock.settle();
    expect(connection.takeKind("write")).toMatchObject([
      { ops: [{ kind: "release", token: 104 }] },
    ]);
  });
});
