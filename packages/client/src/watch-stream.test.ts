import { zxid, type ServerMessage, type WatchEvent } from "@quorate/kv-store/protocol";
import { describe, expect, test } from "vitest";
import type { FakeConnection } from "../../../tests/support/client/fake-network.ts";
import { STAT, only } from "../../../tests/support/client/fixtures.ts";
import {
  errorOf,
  openClient,
  outcomeOf,
  type OpenClient,
} from "../../../tests/support/client/open-client.ts";
import type { Watch, WatchNotice, WatchOptions } from "./api.ts";

type EventsMessage = Extract<ServerMessage, { readonly kind: "events" }>;

function changed(at: number, path = "/a", watchIds: readonly number[] = [1]): EventsMessage {
  const event: WatchEvent = { zxid: zxid(at), kind: "dataChanged", path };
  return { kind: "events", zxid: zxid(at), events: [{ watchIds, event }] };
}

function confirm(connection: FakeConnection, at: number): void {
  for (const { cxid, watchId } of connection.takeKind("addWatch")) {
    connection.send({ kind: "watchAdded", cxid, watchId, zxid: zxid(at) });
  }
}

async function openWatch(
  options: WatchOptions = {},
): Promise<OpenClient & { readonly watch: Watch }> {
  const opened = await openClient();
  const adding = opened.client.watch("/a", options);
  await opened.net.clock.settle();
  confirm(opened.connection, 100);
  return { ...opened, watch: await adding };
}

/** What has arrived, without waiting for more. */
async function waitingIn(watch: Watch): Promise<string[]> {
  const iterator = watch[Symbol.asyncIterator]();
  const seen: string[] = [];
  for (;;) {
    const next = await Promise.race([iterator.next(), Promise.resolve(null)]);
    if (next === null || next.done === true) return seen;
    seen.push(textOf(next.value));
  }
}

function textOf(notice: WatchNotice): string {
  return notice.type === "lost" ? `lost ${notice.zxid}` : `${notice.zxid} ${notice.path}`;
}

describe("watch", () => {
  test("resolves once the service has confirmed it", async () => {
    const { net, client, connection } = await openClient();
    const adding = client.watch("/a", { mode: "recursive", withData: true, sinceZxid: zxid(5) });
    const added = outcomeOf(adding);
    await net.clock.settle();
    expect(added.state).toBe("pending");
    const [message] = connection.takeKind("addWatch");
    expect(message).toMatchObject({ path: "/a", mode: "recursive", withData: true, sinceZxid: 5 });
    const { cxid, watchId } = message!;
    connection.send({ kind: "watchAdded", cxid, watchId, zxid: zxid(100) });
    expect(await adding).toMatchObject({ path: "/a", mode: "recursive" });
  });

  test("a refusal rejects", async () => {
    const { net, client, connection } = await openClient();
    const failure = errorOf(client.watch("/a"));
    await net.clock.settle();
    const { cxid, watchId } = only(connection.takeKind("addWatch"));
    connection.send({ kind: "watchRefused", cxid, watchId, code: "OVERLOADED" });
    expect(await failure).toMatchObject({ code: "OVERLOADED", path: "/a", retryable: true });
  });

  test("an unconfirmed watch can be given up", async () => {
    const { net, client, connection } = await openClient();
    const failure = errorOf(client.watch("/a", { timeoutMs: 100 }));
    await net.clock.advance(100);
    expect(await failure).toMatchObject({ code: "TIMEOUT" });
    await net.clock.settle();
    expect(connection.takeKind("removeWatch")).toHaveLength(1);
  });

  test.each([
    ["no-slash", {}],
    ["/a", { mode: "other" as "recursive" }],
    ["/a", { sinceZxid: -1 as never }],
    ["/a", { withData: "yes" as never }],
  ] as const)("bad arguments are refused: %s %j", async (path, options) => {
    const { net, client, connection } = await openClient();
    const error = await errorOf(client.watch(path, options));
    expect(error).toMatchObject({ path, code: expect.stringMatching(/^BAD_(PATH|ARGUMENTS)$/) });
    await net.clock.settle();
    expect(connection.take()).toEqual([]);
  });

  test("delivers events in order; data only where it was asked for, in bytes of its own", async () => {
    const { connection, watch } = await openWatch({ withData: true });
    const stat = STAT;
    const data = Uint8Array.of(1, 2);
    const event = { zxid: zxid(101), kind: "created", path: "/a", data, stat } as const;
    connection.send({ kind: "events", zxid: zxid(101), events: [{ watchIds: [1], event }] });
    const { value } = await watch[Symbol.asyncIterator]().next();
    expect(value).toEqual({ type: "event", ...event, data: new Uint8Array([1, 2]) });
    expect(value.data.buffer.byteLength).toBe(2);
    expect(Buffer.isBuffer(value.data)).toBe(false);
  });

  test("its signal ends it, after what it has delivered; its timeout is for the registration", async () => {
    const abort = new AbortController();
    const { net, connection, watch } = await openWatch({ signal: abort.signal, timeoutMs: 100 });
    await net.clock.advance(200);
    connection.send(changed(101));
    abort.abort(new Error("enough"));
    connection.send(changed(102));
    const iterator = watch[Symbol.asyncIterator]();
    expect((await iterator.next()).value).toMatchObject({ zxid: 101 });
    expect(await errorOf(iterator.next())).toMatchObject({
      code: "ABORTED",
      path: "/a",
      cause: { message: "enough" },
    });
    expect((await iterator.next()).done).toBe(true);
    await net.clock.settle();
    expect(connection.takeKind("removeWatch")).toHaveLength(1);
  });

  test("a closed watch leaves nothing at its signal", async () => {
    const abort = new AbortController();
    const { net, connection, watch } = await openWatch({ signal: abort.signal });
    await watch.close();
    abort.abort();
    await net.clock.settle();
    expect(connection.takeKind("removeWatch")).toHaveLength(1);
    expect(await watch[Symbol.asyncIterator]().next()).toMatchObject({ done: true });
  });

  test("leaving the loop removes the watch", async () => {
    const { net, connection, watch } = await openWatch();
    connection.send(changed(101));
    for await (const notice of watch) {
      expect(textOf(notice)).toBe("101 /a");
      break;
    }
    await net.clock.settle();
    expect(connection.takeKind("removeWatch")).toMatchObject([{ watchId: 1 }]);
    connection.send(changed(102));
    expect(await waitingIn(watch)).toEqual([]);
    await watch.close();
    await net.clock.settle();
    expect(connection.take()).toEqual([]);
  });

  test("ends with the session's error after what had arrived, quietly when the client closes", async () => {
    const { connection, watch, client } = await openWatch();
    connection.send(changed(101));
    connection.goodbye("SESSION_EXPIRED", true);
    const seen: string[] = [];
    const failure = errorOf(
      (async () => {
        for await (const notice of watch) seen.push(textOf(notice));
      })(),
    );
    expect(await failure).toMatchObject({ code: "SESSION_EXPIRED" });
    expect(seen).toEqual(["101 /a"]);
    expect(await errorOf(client.watch("/b"))).toMatchObject({ code: "SESSION_EXPIRED" });
    const second = await openWatch();
    void second.client.close();
    for await (const notice of second.watch) seen.push(textOf(notice));
    expect(seen).toHaveLength(1);
  });
});

describe("resuming", () => {
  test("from the last event, each event once and in order", async () => {
    const { net, connection, watch } = await openWatch();
    connection.send(changed(101), changed(103));
    connection.cut();
    await net.clock.settle();
    net.last.welcome();
    await net.clock.settle();
    const [again] = net.last.takeKind("addWatch");
    expect(again).toMatchObject({ watchId: 1, path: "/a", sinceZxid: 103 });
    const { cxid } = again!;
    net.last.send(
      { kind: "watchAdded", cxid, watchId: 1, zxid: zxid(106) },
      changed(102),
      changed(103),
      changed(104),
      changed(104),
      changed(106),
    );
    net.last.send(changed(105), changed(107));
    expect(await waitingIn(watch)).toEqual(["101 /a", "103 /a", "104 /a", "106 /a", "107 /a"]);
  });

  test("all events of one revision belong together", async () => {
    const { connection, watch } = await openWatch();
    const events = ["/a/1", "/a/2"].map((path) => changed(101, path).events[0]!);
    connection.send({ kind: "events", zxid: zxid(101), events });
    connection.send({ kind: "events", zxid: zxid(101), events });
    expect(await waitingIn(watch)).toEqual(["101 /a/1", "101 /a/2"]);
  });

  test("a watch without events resumes from where it was added, or where a pong proved it quiet", async () => {
    const { net, connection } = await openWatch();
    connection.cut();
    await net.clock.settle();
    net.last.welcome();
    await net.clock.settle();
    const [ping] = net.last.takeKind("ping");
    expect(ping).toBeDefined();
    // Not confirmed on this connection: what the pong shows may have been missed.
    net.last.send({ kind: "pong", pingId: ping!.pingId, zxid: zxid(130) });
    net.last.cut();
    await net.clock.settle();
    net.last.take();
    net.last.welcome();
    await net.clock.settle();
    const messages = net.last.take();
    const again = messages.find((message) => message.kind === "addWatch")!;
    const next = messages.find((message) => message.kind === "ping")!;
    expect(again.sinceZxid).toBe(100);
    net.last.send({ kind: "watchAdded", cxid: again.cxid, watchId: 1, zxid: zxid(140) });
    net.last.send({ kind: "pong", pingId: next.pingId, zxid: zxid(150) });
    net.last.cut();
    await net.clock.settle();
    net.last.welcome();
    await net.clock.settle();
    expect(net.last.takeKind("addWatch")).toMatchObject([{ sinceZxid: 150 }]);
  });

  test("what the service cannot tell any more is announced, later events follow", async () => {
    const { net, connection, watch } = await openWatch();
    connection.cut();
    await net.clock.settle();
    net.last.welcome();
    await net.clock.settle();
    const { cxid } = only(net.last.takeKind("addWatch"));
    const lost = { kind: "watchLost", oldestZxid: zxid(150), zxid: zxid(200) } as const;
    net.last.send({ ...lost, cxid, watchId: 1 }, changed(190), changed(201));
    expect(await waitingIn(watch)).toEqual(["lost 200", "201 /a"]);
  });

  test("a watch that starts before the log reaches back begins with the loss", async () => {
    const { net, client, connection } = await openClient();
    const adding = client.watch("/a", { sinceZxid: zxid(3) });
    await net.clock.settle();
    const { cxid } = only(connection.takeKind("addWatch"));
    const oldestZxid = zxid(50);
    connection.send({ kind: "watchLost", cxid, watchId: 1, oldestZxid, zxid: zxid(100) });
    expect(await waitingIn(await adding)).toEqual(["lost 100"]);
  });

  test("a watch from a revision that the service never had begins with the loss, and hears what follows", async () => {
    const { net, client, connection } = await openClient();
    const adding = client.watch("/a", { sinceZxid: zxid(5_000) });
    await net.clock.settle();
    const { cxid } = only(connection.takeKind("addWatch"));
    const lost = { kind: "watchLost", oldestZxid: zxid(100), zxid: zxid(100) } as const;
    connection.send({ ...lost, cxid, watchId: 1 }, changed(101));
    expect(await waitingIn(await adding)).toEqual(["lost 100", "101 /a"]);
  });

  test("a watch removed while there was no connection is not resumed", async () => {
    const { net, connection, watch } = await openWatch();
    connection.cut();
    await watch.close();
    await net.clock.settle();
    net.last.welcome();
    await net.clock.settle();
    expect(net.last.takeKind("addWatch")).toEqual([]);
  });
});

describe("bounds", () => {
  test("a reader that does not keep up gets one loss in place of what was dropped", async () => {
    const { connection, watch } = await openWatch();
    for (let i = 1; i <= 16_385; i += 1) connection.send(changed(100 + i));
    connection.send(changed(100 + 16_385, "/a"), changed(20_000));
    expect(await waitingIn(watch)).toEqual([`lost ${100 + 16_385}`, "20000 /a"]);
  });

  test("a session has no more watches than the protocol allows", async () => {
    const { net, client } = await openClient();
    const adding: Promise<Watch>[] = [];
    for (let i = 0; i < 10_000; i += 1) adding.push(client.watch("/a"));
    expect(await errorOf(client.watch("/a"))).toMatchObject({ code: "OVERLOADED" });
    const ends = Promise.allSettled(adding);
    await net.clock.settle();
    void client.close();
    expect((await ends).every(({ status }) => status === "rejected")).toBe(true);
  });
});
