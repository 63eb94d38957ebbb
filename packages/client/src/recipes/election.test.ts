import { fencingToken, sessionId, writeSeq, zxid } from "@quorate/kv-store/protocol";
import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import type { FakeConnection } from "../../../../tests/support/client/fake-network.ts";
import { only } from "../../../../tests/support/client/fixtures.ts";
import { errorOf, openClient } from "../../../../tests/support/client/open-client.ts";

/** Answers the questions who leads. */
function lead(connection: FakeConnection, token: number | null): number {
  const reads = connection.takeKind("read");
  for (const { cxid } of reads) {
    const holder =
      token === null
        ? null
        : {
            contender: `/leader/c-${token}`,
            token: fencingToken(token),
            session: sessionId(9),
            data: Uint8Array.of(token),
          };
    const value = { kind: "holder", holder, waiting: 0 } as const;
    connection.send({ kind: "readReply", cxid, zxid: zxid(200), reply: { ok: true, value } });
  }
  return reads.length;
}

function changed(connection: FakeConnection, at: number): void {
  const event = { zxid: zxid(at), kind: "childrenChanged", path: "/leader" } as const;
  connection.send({ kind: "events", zxid: zxid(at), events: [{ watchIds: [1], event }] });
}

describe("election", () => {
  test("a campaign is a lock with data", async () => {
    const { client, connection, net } = await openClient();
    const campaigning = client.election("/leader").campaign({ data: Uint8Array.of(1) });
    await net.clock.settle();
    expect(connection.takeKind("write")).toMatchObject([
      { ops: [{ kind: "acquire", path: "/leader", wait: true }] },
    ]);
    const contender = "/leader/c-1";
    const token = fencingToken(101);
    connection.reply(1, 101, { kind: "acquire", contender, token, held: true });
    expect((await campaigning).token).toBe(101);
  });

  test("leader: who leads, null if nobody does or ever did", async () => {
    const { client, connection, net } = await openClient();
    const election = client.election("/leader");
    const first = election.leader();
    await net.clock.settle();
    lead(connection, 5);
    expect(await first).toEqual({
      contender: "/leader/c-5",
      token: 5,
      session: 9,
      data: new Uint8Array([5]),
    });
    const second = election.leader({ consistency: "local" });
    await net.clock.settle();
    lead(connection, null);
    expect(await second).toBeNull();
    const third = election.leader();
    await net.clock.settle();
    const { cxid } = only(connection.takeKind("read"));
    const reply = { ok: false, code: "NO_NODE" } as const;
    connection.send({ kind: "readReply", cxid, zxid: zxid(200), reply });
    expect(await third).toBeNull();
  });

  test("observe: the leader now and after every change, each once", async () => {
    const { client, connection, net } = await openClient();
    const seen: (number | null)[] = [];
    const abort = new AbortController();
    const observing = errorOf(
      (async () => {
        for await (const leader of client.election("/leader").observe({ signal: abort.signal })) {
          seen.push(leader?.token ?? null);
        }
      })(),
    );
    await net.clock.settle();
    const { cxid, watchId } = only(connection.takeKind("addWatch"));
    connection.send({ kind: "watchAdded", cxid, watchId, zxid: zxid(100) });
    await net.clock.settle();
    for (const [at, token] of [
      [101, null],
      [102, 5],
      [103, 5],
      [104, 8],
    ] as const) {
      lead(connection, token);
      await net.clock.settle();
      changed(connection, at);
      await net.clock.settle();
    }
    expect(seen).toEqual([null, 5, 8]);
    abort.abort();
    lead(connection, 8);
    expect(await observing).toMatchObject({ code: "ABORTED" });
    await net.clock.settle();
    expect(connection.takeKind("removeWatch")).toHaveLength(1);
  });

  test("observe: hears of the leader while writes of the session are refused, also after a new connection", async () => {
    const { client, connection, net } = await openClient({ sessionTimeoutMs: 600_000 });
    const seen: (number | null)[] = [];
    void (async () => {
      for await (const leader of client.election("/leader").observe()) {
        seen.push(leader?.token ?? null);
      }
    })();
    const refuse = (to: FakeConnection): void => {
      const fromSeq = writeSeq(1);
      to.send({ kind: "refused", fromSeq, code: "DISK_FULL", retryAfterMs: 2_000 });
    };
    void client.set("/a", "1");
    await net.clock.settle();
    const { cxid, watchId } = only(connection.takeKind("addWatch"));
    refuse(connection);
    connection.send({ kind: "watchAdded", cxid, watchId, zxid: zxid(100) });
    await net.clock.settle();
    expect(lead(connection, 5)).toBe(1);
    await net.clock.settle();
    expect(seen).toEqual([5]);
    changed(connection, 101);
    await net.clock.settle();
    connection.cut();
    await net.clock.settle();
    net.last.welcome();
    await net.clock.settle();
    refuse(net.last);
    await net.clock.settle();
    expect(lead(net.last, 8)).toBe(1);
    await net.clock.settle();
    expect(seen).toEqual([5, 8]);
  });

  test("observe: a look that takes too long ends it, and leaves nothing to be sent", async () => {
    const { client, connection, net } = await openClient({ sessionTimeoutMs: 600_000 });
    const leaders = client.election("/leader").observe({ timeoutMs: 100 })[Symbol.asyncIterator]();
    const failure = errorOf(leaders.next());
    await net.clock.settle();
    const { cxid, watchId } = only(connection.takeKind("addWatch"));
    connection.send({ kind: "watchAdded", cxid, watchId, zxid: zxid(100) });
    await net.clock.settle();
    connection.cut();
    await net.clock.advance(100);
    expect(await failure).toMatchObject({ code: "TIMEOUT", path: "/leader" });
    net.last.welcome();
    await net.clock.settle();
    expect(net.last.takeKind("read")).toEqual([]);
  });

  test("observe: leaving while the next leader is waited for ends it at once", async () => {
    const { client, connection, net } = await openClient();
    const { signal } = new AbortController();
    const leaders = client.election("/leader").observe({ signal })[Symbol.asyncIterator]();
    const first = leaders.next();
    await net.clock.settle();
    const { cxid, watchId } = only(connection.takeKind("addWatch"));
    connection.send({ kind: "watchAdded", cxid, watchId, zxid: zxid(100) });
    await net.clock.settle();
    lead(connection, 5);
    expect(await first).toMatchObject({ value: { token: 5 } });
    const next = leaders.next();
    await net.clock.settle();
    expect(await leaders.return?.()).toEqual({ done: true, value: undefined });
    expect(await next).toEqual({ done: true, value: undefined });
    expect(await leaders.next()).toMatchObject({ done: true });
    await net.clock.settle();
    expect(connection.takeKind("removeWatch")).toHaveLength(1);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  test("observe: leaving while the service is asked ends it at once", async () => {
    const { client, connection, net } = await openClient();
    const leaders = client.election("/leader").observe()[Symbol.asyncIterator]();
    const first = leaders.next();
    await net.clock.settle();
    const { cxid, watchId } = only(connection.takeKind("addWatch"));
    connection.send({ kind: "watchAdded", cxid, watchId, zxid: zxid(100) });
    await net.clock.settle();
    expect(await leaders.return?.()).toEqual({ done: true, value: undefined });
    expect(await first).toEqual({ done: true, value: undefined });
    lead(connection, 5);
    await net.clock.settle();
    expect(await leaders.next()).toMatchObject({ done: true });
  });

  test("observe: bad arguments are thrown by the loop, and nothing is sent", async () => {
    const { client, connection, net } = await openClient();
    for (const [path, options, code] of [
      ["leader", {}, "BAD_PATH"],
      ["/leader", { timeoutMs: -1 }, "BAD_ARGUMENTS"],
      ["/leader", { signal: AbortSignal.abort() }, "ABORTED"],
    ] as const) {
      const leaders = client.election(path).observe(options)[Symbol.asyncIterator]();
      expect(await errorOf(leaders.next())).toMatchObject({ code });
      expect(await leaders.next()).toMatchObject({ done: true });
    }
    await net.clock.settle();
    expect(connection.take()).toEqual([]);
  });

  test("observe ends quietly with the client and with the error of the session", async () => {
    const first = await openClient();
    const closing = (async () => {
      for await (const leader of first.client.election("/leader").observe())
        expect(leader).toBeNull();
    })();
    await first.net.clock.settle();
    void first.client.close();
    await closing;
    const second = await openClient();
    const failure = errorOf(
      (async () => {
        for await (const leader of second.client.election("/leader").observe()) {
          expect(leader).toBeNull();
        }
      })(),
    );
    await second.net.clock.settle();
    second.connection.goodbye("SESSION_EXPIRED", true);
    expect(await failure).toMatchObject({ code: "SESSION_EXPIRED" });
  });
});
