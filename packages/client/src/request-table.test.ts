import { PROTOCOL_LIMITS, writeSeq, zxid, type ClientMessage } from "@quorate/kv-store/protocol";
import { describe, expect, onTestFinished, test } from "vitest";
import { STAT, only } from "../../../tests/support/client/fixtures.ts";
import { errorOf, openClient, outcomeOf } from "../../../tests/support/client/open-client.ts";
import type { QuorateError } from "./errors.ts";
import { QUEUE_COUNT_MAX } from "./request-table.ts";

function numbersOf(messages: readonly ClientMessage[]): number[] {
  return messages.flatMap((message) => (message.kind === "write" ? [message.writeSeq] : []));
}

describe("sending", () => {
  test("what is asked in one turn leaves in one frame, in order", async () => {
    const { net, client, connection } = await openClient();
    const frames = connection.frameCount;
    void client.create("/a", "1");
    void client.get("/a");
    void client.delete("/a");
    await net.clock.settle();
    expect(connection.frameCount).toBe(frames + 1);
    expect(connection.take()).toMatchObject([
      { kind: "write", writeSeq: 1, ackedSeq: 0, ops: [{ kind: "create", path: "/a" }] },
      { kind: "read", consistency: "linearizable", query: { kind: "get" } },
      { kind: "write", writeSeq: 2, ops: [{ kind: "delete" }] },
    ]);
  });

  test("frames stay within the bounds of the protocol", async () => {
    const { net, client, connection } = await openClient();
    const data = new Uint8Array(1_000_000);
    for (let i = 0; i < 8; i += 1) void client.set("/a", data);
    await net.clock.settle();
    expect(numbersOf(connection.take())).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(connection.frameBytesMax).toBeLessThanOrEqual(PROTOCOL_LIMITS.frameBytesMax);
  });

  test("acknowledges the replies that have arrived, without gaps", async () => {
    const { net, client, connection } = await openClient();
    void client.delete("/a");
    void client.delete("/b");
    void client.delete("/c");
    await net.clock.settle();
    connection.take();
    connection.reply(1, 101, { kind: "delete" });
    connection.reply(3, 103, { kind: "delete" });
    void client.delete("/d");
    await net.clock.settle();
    expect(connection.take()).toMatchObject([{ writeSeq: 4, ackedSeq: 1 }]);
    connection.reply(2, 102, { kind: "delete" });
    void client.delete("/e");
    await net.clock.settle();
    expect(connection.take()).toMatchObject([{ writeSeq: 5, ackedSeq: 3 }]);
  });

  test("no more is under way than the protocol allows; the rest waits, up to a bound", async () => {
    const { net, client, connection } = await openClient();
    const { outstandingMax } = PROTOCOL_LIMITS;
    for (let i = 0; i < outstandingMax + 10; i += 1) void client.delete("/a");
    await net.clock.settle();
    expect(numbersOf(connection.take())).toHaveLength(outstandingMax);
    connection.reply(1, 101, { kind: "delete" });
    connection.reply(2, 101, { kind: "delete" });
    await net.clock.settle();
    expect(numbersOf(connection.take())).toEqual([outstandingMax + 1, outstandingMax + 2]);
    for (let i = 0; i < QUEUE_COUNT_MAX - 8; i += 1) void client.exists("/a");
    const error = await errorOf(client.exists("/a"));
    expect(error).toMatchObject({ code: "OVERLOADED", retryable: true, outcomeUnknown: false });
  });

  test("the bytes under way are bounded too", async () => {
    const { net, client, connection } = await openClient();
    const data = new Uint8Array(1_000_000);
    for (let i = 0; i < 20; i += 1) void client.set("/a", data);
    await net.clock.settle();
    expect(numbersOf(connection.take())).toHaveLength(8);
  });

  test("answers count too: many small ops may not fill what the service keeps of them", async () => {
    const { net, client, connection } = await openClient();
    const ops = Array.from({ length: 1_024 }, () => {
      return { kind: "check", path: "/a", version: null } as const;
    });
    for (let i = 0; i < 100; i += 1) void client.multi(ops);
    await net.clock.settle();
    const answerBytes = 200 * (1 + ops.length);
    const fitting = Math.floor(PROTOCOL_LIMITS.outstandingBytesMax / answerBytes);
    expect(numbersOf(connection.take())).toHaveLength(fitting);
    expect(fitting).toBeLessThan(100);
  });

  test("bytes are the caller's again once the call returns", async () => {
    const { net, client, connection } = await openClient();
    const data = Uint8Array.of(1, 2, 3);
    void client.set("/a", data);
    void client.multi([{ kind: "create", path: "/b", data, mode: "persistent" }]);
    data.fill(9);
    await net.clock.settle();
    const sent = connection.takeKind("write").map(({ ops: [op] }) => op);
    expect(sent).toMatchObject([
      { data: Uint8Array.of(1, 2, 3) },
      { data: Uint8Array.of(1, 2, 3) },
    ]);
  });
});

describe("resending", () => {
  test("unanswered writes in order, then reads; answered ones not", async () => {
    const { net, client, connection } = await openClient();
    const first = outcomeOf(client.delete("/1"));
    const second = outcomeOf(client.delete("/2"));
    const read = outcomeOf(client.exists("/2"));
    const third = outcomeOf(client.delete("/3"));
    await net.clock.settle();
    const cxid = connection.takeKind("read")[0]!.cxid;
    connection.reply(1, 101, { kind: "delete" });
    connection.cut();
    void client.delete("/4");
    await net.clock.settle();
    net.last.take();
    net.last.welcome({ lastWriteSeq: writeSeq(2) });
    await net.clock.settle();
    const resent = net.last.take();
    expect(resent.map((message) => message.kind)).toEqual([
      "ping",
      "write",
      "write",
      "read",
      "write",
    ]);
    expect(numbersOf(resent)).toEqual([2, 3, 4]);
    const again = resent.find((message) => message.kind === "read")!;
    expect(again.cxid).not.toBe(cxid);
    net.last.reply(2, 102, { kind: "delete" });
    net.last.reply(3, 103, { kind: "delete" });
    const answer = { kind: "exists", stat: null } as const;
    net.last.send({
      kind: "readReply",
      cxid: again.cxid,
      zxid: zxid(103),
      reply: { ok: true, value: answer },
    });
    await net.clock.settle();
    expect([first, second, third, read].map(({ state }) => state)).toEqual(
      Array.from({ length: 4 }, () => "done"),
    );
  });

  test("a reply that comes twice settles once", async () => {
    const { net, client, connection } = await openClient();
    const created = client.create("/a");
    await net.clock.settle();
    const reply = (path: string) => {
      const stat = STAT;
      connection.reply(1, 101, { kind: "create", path, stat });
    };
    reply("/a");
    reply("/b");
    expect(await created).toBe("/a");
  });
});

describe("giving up", () => {
  test("a call that was not sent takes no number", async () => {
    const { net, client, connection } = await openClient();
    const abort = new AbortController();
    const failure = errorOf(client.delete("/a", { signal: abort.signal }));
    void client.delete("/b");
    abort.abort();
    expect(await failure).toMatchObject({ code: "ABORTED", outcomeUnknown: false });
    await net.clock.settle();
    expect(connection.take()).toMatchObject([{ writeSeq: 1, ops: [{ path: "/b" }] }]);
  });

  test("a write that was sent stays, with its bytes, until it is answered", async () => {
    const { net, client, connection } = await openClient();
    const abort = new AbortController();
    const failure = errorOf(client.set("/a", "x", { signal: abort.signal }));
    await net.clock.settle();
    const [sent] = connection.takeKind("write");
    abort.abort();
    expect(await failure).toMatchObject({ code: "ABORTED", outcomeUnknown: true });
    connection.cut();
    await net.clock.settle();
    net.last.take();
    net.last.welcome();
    await net.clock.settle();
    expect(net.last.takeKind("write")).toEqual([sent]);
    net.last.reply(1, 101, { kind: "delete" });
    void client.delete("/b");
    await net.clock.settle();
    expect(net.last.take()).toMatchObject([{ writeSeq: 2, ackedSeq: 1 }]);
  });

  test("timeouts of many calls run on one timer and leave nothing behind", async () => {
    const { net, client, connection } = await openClient();
    const timers = net.clock.timerCount;
    const answered = client.delete("/a", { timeoutMs: 500 });
    const late = errorOf(client.exists("/a", { timeoutMs: 300 }));
    const later = errorOf(client.delete("/a", { timeoutMs: 400 }));
    expect(net.clock.timerCount).toBe(timers + 1);
    await net.clock.settle();
    connection.reply(1, 101, { kind: "delete" });
    await answered;
    await net.clock.advance(300);
    expect(await late).toMatchObject({ code: "TIMEOUT", outcomeUnknown: false });
    await net.clock.advance(100);
    expect(await later).toMatchObject({ code: "TIMEOUT", outcomeUnknown: true });
    expect(net.clock.timerCount).toBe(timers);
  });

  test("a call that times out says where it was, and why nobody answered", async () => {
    const { net, client, connection } = await openClient();
    const waiting = errorOf(client.set("/a", "x", { timeoutMs: 100 }));
    await net.clock.advance(100);
    expect(await waiting).toMatchObject({
      path: "/a",
      message: `TIMEOUT: the call's time is up, "/a"`,
    });
    net.answer = () => "refuse";
    connection.cut();
    const lost = errorOf(client.set("/a", "x", { timeoutMs: 100 }));
    await net.clock.advance(100);
    expect(await lost).toMatchObject({
      message: expect.stringMatching(
        /^TIMEOUT: .*"\/a" \(CONNECTION_FAILED: no server reached \(.*: refused; .*: refused\)\)$/,
      ),
      cause: { code: "CONNECTION_FAILED" },
    });
  });

  test("calls that time out while there is no connection leave the queue", async () => {
    const { stackTraceLimit } = Error;
    // Most of the time of this test would go into where its tens of thousands of errors came from.
    Error.stackTraceLimit = 0;
    onTestFinished(() => {
      Error.stackTraceLimit = stackTraceLimit;
    });
    const { net, client, connection } = await openClient();
    net.answer = () => "refuse";
    connection.cut();
    for (let round = 0; round < 2; round += 1) {
      const failures: Promise<unknown>[] = [];
      for (let i = 0; i < QUEUE_COUNT_MAX * 0.6; i += 1) {
        failures.push(errorOf(client.exists("/a", { timeoutMs: 1 })));
      }
      await net.clock.advance(1);
      const errors = await Promise.all(failures);
      expect(new Set(errors.map((error) => (error as QuorateError).code))).toEqual(
        new Set(["TIMEOUT"]),
      );
    }
  });

  test.each([{ timeoutMs: -1 }, { timeoutMs: Number.NaN }])(
    "BAD_ARGUMENTS: %j",
    async (options) => {
      const { client } = await openClient();
      expect(await errorOf(client.exists("/a", options))).toMatchObject({ code: "BAD_ARGUMENTS" });
    },
  );
});

describe("refusals", () => {
  const refused = (
    fromSeq: number,
    code: "OVERLOADED" | "DISK_FULL" | "TOO_LARGE" = "OVERLOADED",
  ) => ({ kind: "refused", fromSeq: writeSeq(fromSeq), code, retryAfterMs: 50 }) as const;

  test("hold back everything from there, then send it again, a few writes first", async () => {
    const { net, client, connection } = await openClient();
    for (let i = 0; i < 40; i += 1) void client.delete("/a");
    await net.clock.settle();
    connection.take();
    connection.send(refused(3));
    void client.delete("/b");
    void client.exists("/b");
    await net.clock.advance(49);
    expect(connection.take()).toEqual([]);
    connection.reply(1, 101, { kind: "delete" });
    await net.clock.advance(21);
    expect(numbersOf(connection.take())).toEqual(Array.from({ length: 16 }, (_, i) => 3 + i));
    connection.reply(2, 102, { kind: "delete" });
    await net.clock.settle();
    expect(connection.take()).toEqual([]);
    connection.reply(3, 103, { kind: "delete" });
    await net.clock.settle();
    const rest = connection.take();
    expect(numbersOf(rest)).toEqual(Array.from({ length: 23 }, (_, i) => 19 + i));
    expect(rest.at(-1)).toMatchObject({ kind: "read" });
  });

  test("a pause that no timer can take, or that nobody would wait for, is cut", async () => {
    const { net, client, connection } = await openClient();
    void client.delete("/a");
    await net.clock.settle();
    connection.take();
    connection.send({ ...refused(1), retryAfterMs: 2 ** 40 });
    await net.clock.advance(1_999);
    expect(numbersOf(connection.take())).toEqual([]);
    await net.clock.advance(21);
    expect(numbersOf(connection.take())).toEqual([1]);
  });

  test("pauses grow while they persist", async () => {
    const { net, client, connection } = await openClient({ sessionTimeoutMs: 600_000 });
    let sends = 0;
    connection.onMessage = (message) => {
      if (message.kind !== "write") return;
      sends += 1;
      connection.send(refused(1, "DISK_FULL"));
    };
    const write = outcomeOf(client.set("/a", "x"));
    await net.clock.advance(4_000);
    expect(sends).toBeGreaterThan(4);
    expect(sends).toBeLessThan(30);
    expect(write.state).toBe("pending");
  });

  test("a write given up while refused is skipped, and its error says why it had to wait", async () => {
    const { net, client, connection } = await openClient();
    const failure = errorOf(client.set("/a", "x", { timeoutMs: 20 }));
    const next = outcomeOf(client.delete("/b"));
    await net.clock.settle();
    connection.take();
    connection.send(refused(1, "DISK_FULL"));
    await net.clock.advance(20);
    expect(await failure).toMatchObject({
      code: "TIMEOUT",
      outcomeUnknown: true,
      retryable: false,
      cause: { code: "DISK_FULL" },
    });
    await net.clock.advance(60);
    expect(connection.take()).toMatchObject([
      { kind: "skip", writeSeq: 1 },
      { kind: "write", writeSeq: 2 },
    ]);
    connection.reply(1, 101);
    connection.reply(2, 102, { kind: "delete" });
    await net.clock.settle();
    expect(next.state).toBe("done");
  });

  test("a write given up while it was under way is skipped once it is refused: what follows does not wait for it", async () => {
    const { net, client, connection } = await openClient();
    const write = outcomeOf(client.set("/a", "1", { timeoutMs: 1_000 }));
    await net.clock.settle();
    connection.take();
    await net.clock.advance(1_000);
    expect(write.state).toBe("failed");
    connection.send(refused(1, "DISK_FULL"));
    await net.clock.settle();
    expect(connection.takeKind("skip")).toMatchObject([{ writeSeq: 1 }]);
    const read = outcomeOf(client.exists("/a"));
    connection.reply(1, 101);
    await net.clock.settle();
    const { cxid } = only(connection.takeKind("read"));
    const value = { kind: "exists", stat: null } as const;
    connection.send({ kind: "readReply", cxid, zxid: zxid(101), reply: { ok: true, value } });
    await net.clock.settle();
    expect(read.state).toBe("done");
  });

  test.each(["before", "after"])(
    "a write that may have got through on an earlier connection, given up %s it is refused, is skipped: what follows does not wait",
    async (when) => {
      const { net, client, connection } = await openClient();
      const failure = errorOf(client.set("/a", "x", { timeoutMs: 500 }));
      await net.clock.settle();
      connection.cut();
      await net.clock.settle();
      net.last.welcome();
      await net.clock.settle();
      net.last.take();
      if (when === "after") net.last.send({ ...refused(1), retryAfterMs: 600 });
      await net.clock.advance(500);
      expect(await failure).toMatchObject({ code: "TIMEOUT", outcomeUnknown: true });
      if (when === "before") net.last.send({ ...refused(1), retryAfterMs: 600 });
      const read = outcomeOf(client.exists("/a"));
      await net.clock.advance(700);
      const sent = net.last.take();
      expect(sent[0]).toMatchObject({ kind: "skip", writeSeq: 1 });
      // It had got through after all, and nobody waits to hear of it.
      net.last.reply(1, 101);
      await net.clock.settle();
      const all = [...sent, ...net.last.take()];
      const { cxid } = only(all.flatMap((message) => (message.kind === "read" ? [message] : [])));
      const value = { kind: "exists", stat: null } as const;
      net.last.send({ kind: "readReply", cxid, zxid: zxid(101), reply: { ok: true, value } });
      await net.clock.settle();
      expect(read.state).toBe("done");
    },
  );

  test("a write that can never be taken fails, its number is skipped", async () => {
    const { net, client, connection } = await openClient();
    const failure = errorOf(client.set("/a", "x"));
    const next = outcomeOf(client.delete("/b"));
    await net.clock.settle();
    connection.take();
    connection.send(refused(1, "TOO_LARGE"));
    await net.clock.settle();
    expect(connection.take()).toMatchObject([
      { kind: "skip", writeSeq: 1 },
      { kind: "write", writeSeq: 2 },
    ]);
    connection.reply(1, 101);
    connection.reply(2, 102, { kind: "delete" });
    expect(await failure).toMatchObject({ code: "TOO_LARGE", path: "/a", outcomeUnknown: false });
    expect(next.state).toBe("done");
  });

  test("if the skipped write had got into the log after all, its result counts", async () => {
    const { net, client, connection } = await openClient();
    const write = outcomeOf(client.delete("/a"));
    await net.clock.settle();
    connection.send(refused(1, "TOO_LARGE"));
    await net.clock.settle();
    connection.reply(1, 101, { kind: "delete" });
    await net.clock.settle();
    expect(write.state).toBe("done");
  });

  test("a read answered before a refused write that it followed is asked again", async () => {
    const { net, client, connection } = await openClient();
    void client.delete("/a");
    const read = client.exists("/a");
    const readState = outcomeOf(read);
    await net.clock.settle();
    const { cxid } = only(connection.takeKind("read"));
    connection.send(refused(1));
    const value = { kind: "exists", stat: null } as const;
    connection.send({ kind: "readReply", cxid, zxid: zxid(100), reply: { ok: true, value } });
    await net.clock.advance(80);
    expect(readState.state).toBe("pending");
    expect(connection.take()).toMatchObject([{ kind: "write", writeSeq: 1 }]);
    connection.reply(1, 101, { kind: "delete" });
    await net.clock.settle();
    const [again] = connection.takeKind("read");
    connection.send({
      kind: "readReply",
      cxid: again!.cxid,
      zxid: zxid(101),
      reply: { ok: true, value },
    });
    expect(await read).toBeNull();
  });

  test("reads sent after a refused write are asked again in their order, also if it gets through before their answers", async () => {
    const { net, client, connection } = await openClient();
    void client.delete("/a");
    const answers = [outcomeOf(client.exists("/a")), outcomeOf(client.exists("/b"))];
    await net.clock.settle();
    const first = connection.takeKind("read");
    connection.send(refused(1));
    await net.clock.advance(80);
    connection.reply(1, 105, { kind: "delete" });
    await net.clock.settle();
    const later = outcomeOf(client.exists("/c"));
    await net.clock.settle();
    expect(connection.takeKind("read")).toEqual([]);
    const value = { kind: "exists", stat: null } as const;
    const answer = (cxid: number, at: number): void =>
      connection.send({ kind: "readReply", cxid, zxid: zxid(at), reply: { ok: true, value } });
    for (const { cxid } of first.toReversed()) answer(cxid, 100);
    await net.clock.settle();
    expect(answers.map(({ state }) => state)).toEqual(["pending", "pending"]);
    const again = connection.takeKind("read");
    expect(again.map(({ query }) => "path" in query && query.path)).toEqual(["/a", "/b", "/c"]);
    for (const { cxid } of again) answer(cxid, 105);
    await net.clock.settle();
    expect([...answers, later].map(({ state }) => state)).toEqual(["done", "done", "done"]);
  });

  test("a new connection does not wait for the end of the pause", async () => {
    const { net, client, connection } = await openClient();
    void client.delete("/a");
    await net.clock.settle();
    connection.send({ ...refused(1), retryAfterMs: 60_000 });
    connection.cut();
    await net.clock.settle();
    net.last.welcome();
    await net.clock.settle();
    expect(numbersOf(net.last.take())).toEqual([1]);
  });
});
