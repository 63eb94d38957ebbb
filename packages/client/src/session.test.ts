import { sessionId, writeSeq, zxid } from "@quorate/kv-store/protocol";
import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { FakeNetwork } from "../../../tests/support/client/fake-network.ts";
import { errorOf, openClient, outcomeOf } from "../../../tests/support/client/open-client.ts";
import { connect } from "./connect.ts";

describe("connecting", () => {
  test("the first hello asks for a new session and the welcome names it", async () => {
    const { client, connection } = await openClient({ name: "worker", sessionTimeoutMs: 10_000 });
    expect(client.state).toEqual({ kind: "connected", server: connection.server, session: 7 });
    expect(client.session).toBe(7);
    expect(client.sessionTimeoutMs).toBe(10_000);
    expect(client.clusterId).toBe("cluster");
    expect(client.lastZxid).toBe(100);
  });

  test("a lost welcome is asked for again with the same secret", async () => {
    const net = new FakeNetwork();
    const connecting = connect({ servers: ["a:1", "b:1"] }, net.ports);
    await net.clock.settle();
    const first = net.last.hello();
    net.last.cut();
    await net.clock.settle();
    const second = net.last.hello();
    expect(second.session).toBeNull();
    expect(second.secret).toEqual(first.secret);
    expect(second.secret).toHaveLength(16);
    net.last.welcome();
    await connecting;
  });

  test("a session that ended while its welcome was lost makes way for another", async () => {
    const net = new FakeNetwork();
    const connecting = connect({ servers: ["a:1", "b:1"] }, net.ports);
    await net.clock.settle();
    const first = net.last.hello();
    net.last.goodbye("SESSION_EXPIRED", true);
    await net.clock.settle();
    expect(net.last.hello().secret).not.toEqual(first.secret);
    net.last.welcome();
    await connecting;
  });

  test("CONNECTION_FAILED after connectTimeoutMs, and nothing goes on", async () => {
    const net = new FakeNetwork();
    net.answer = () => "refuse";
    const failure = errorOf(connect({ servers: ["a:1"], connectTimeoutMs: 2_000 }, net.ports));
    await net.clock.advance(1_999);
    const attempts = net.dialled.length;
    expect(attempts).toBeGreaterThan(3);
    await net.clock.advance(1);
    expect(await failure).toMatchObject({ code: "CONNECTION_FAILED", retryable: true });
    expect(net.clock.timerCount).toBe(0);
  });

  test("a server that does not answer costs a second at most", async () => {
    const net = new FakeNetwork();
    net.answer = () => "hang";
    const failure = errorOf(connect({ servers: ["a:1", "b:1"] }, net.ports));
    await net.clock.advance(1_000);
    expect(net.dialled).toHaveLength(2);
    await net.clock.advance(14_000);
    expect(await failure).toMatchObject({
      code: "CONNECTION_FAILED",
      message: expect.stringMatching(
        /within 15000 ms \([ab]:1: no \w+ in time.*; [ab]:1: no \w+ in time.*\)$/,
      ),
    });
  });

  test("NOT_READY and SHUTTING_DOWN lead to the next server at once", async () => {
    const net = new FakeNetwork();
    const connecting = connect({ servers: ["a:1", "b:1", "c:1"] }, net.ports);
    await net.clock.settle();
    net.last.goodbye("NOT_READY");
    await net.clock.settle();
    net.last.goodbye("SHUTTING_DOWN");
    await net.clock.settle();
    expect(new Set(net.dialled).size).toBe(3);
    net.last.welcome();
    await connecting;
  });

  test("an aborted signal ends the attempt", async () => {
    const net = new FakeNetwork();
    net.answer = () => "hang";
    const abort = new AbortController();
    const failure = errorOf(connect({ servers: ["a:1"], signal: abort.signal }, net.ports));
    await net.clock.settle();
    abort.abort(new Error("enough"));
    expect(await failure).toMatchObject({ code: "ABORTED", cause: { message: "enough" } });
    expect(net.clock.timerCount).toBe(0);
    expect(
      await errorOf(connect({ servers: ["a:1"], signal: abort.signal }, net.ports)),
    ).toMatchObject({ code: "ABORTED" });
  });

  test.each([
    { servers: [] },
    { servers: "a:1" as never },
    { servers: ["a:1"], signal: {} as never },
    { servers: ["a:1"], signal: null as never },
    { servers: ["nowhere"] },
    { servers: ["a:0"] },
    { servers: ["http://a:1"] },
    { servers: ["a:1"], sessionTimeoutMs: 0 },
    { servers: ["a:1"], connectTimeoutMs: Number.NaN },
    { servers: ["a:1"], connectTimeoutMs: "5" as never },
    { servers: ["a:1"], name: "x".repeat(129) },
  ])("BAD_ARGUMENTS: %j", async (options) => {
    const net = new FakeNetwork();
    expect(await errorOf(connect(options, net.ports))).toMatchObject({ code: "BAD_ARGUMENTS" });
    expect(net.dialled).toHaveLength(0);
  });

  test("bytes that are no frame cost the connection, not the session", async () => {
    const { net, client, connection } = await openClient();
    connection.sendBytes(Uint8Array.of(0xc1, 1, 2));
    await net.clock.settle();
    expect(client.state.kind).toBe("suspended");
    net.last.welcome();
    await net.clock.settle();
    expect(client.state.kind).toBe("connected");
  });
});

describe("reconnecting", () => {
  test("another server is dialled at once, with session, secret and the highest revision", async () => {
    const { net, client, connection } = await openClient();
    connection.send({ kind: "events", zxid: zxid(140), events: [] });
    connection.cut();
    expect(client.state).toMatchObject({ kind: "suspended", session: 7 });
    await net.clock.settle();
    expect(net.last.server).not.toBe(connection.server);
    expect(net.last.hello()).toMatchObject({ session: 7, lastZxid: 140, historyId: "history" });
  });

  test.each([
    [60_000, 2_000, 500],
    [60, 2_000, 500],
  ])(
    "asked for %i ms, granted %i ms: a server has a quarter of that to answer",
    async (sessionTimeoutMs, timeoutMs, patienceMs) => {
      const net = new FakeNetwork();
      const connecting = connect({ servers: ["a:1", "b:1", "c:1"], sessionTimeoutMs }, net.ports);
      await net.clock.settle();
      net.last.welcome({ timeoutMs });
      await connecting;
      net.last.send({ kind: "pong", pingId: 1, zxid: zxid(100) });
      net.answer = () => "hang";
      net.last.cut();
      await net.clock.advance(patienceMs - 1);
      expect(net.dialled).toHaveLength(2);
      await net.clock.advance(1);
      expect(net.dialled).toHaveLength(3);
    },
  );

  test("rounds through all servers are followed by growing pauses of at most a second", async () => {
    const { net, connection } = await openClient({ sessionTimeoutMs: 60_000 });
    net.answer = () => "refuse";
    connection.cut();
    await net.clock.settle();
    expect(net.dialled.slice(1)).toHaveLength(3);
    expect(net.dialled.at(-1)).toBe(connection.server);
    await net.clock.advance(5_000);
    const rounds = (net.dialled.length - 1) / 3;
    expect(rounds).toBeGreaterThan(5);
    expect(rounds).toBeLessThan(30);
  });

  test("addresses told by the service are dialled too", async () => {
    const net = new FakeNetwork();
    const connecting = connect({ servers: ["a:1"] }, net.ports);
    await net.clock.settle();
    net.last.welcome({ servers: ["a:1", "ws://A:1", "d:4", "no address"] });
    await connecting;
    net.last.send({ kind: "pong", pingId: 1, zxid: zxid(100) });
    net.answer = () => "refuse";
    net.last.cut();
    await net.clock.settle();
    expect(net.dialled).toEqual(["a:1", "d:4", "a:1"]);
  });

  test("new members are known while the connection lasts, and former ones are not dialled any more", async () => {
    const { net, connection } = await openClient();
    connection.send({ kind: "servers", servers: ["d:4", "e:5"] });
    connection.send({ kind: "servers", servers: ["e:5", "f:6"] });
    net.answer = () => "refuse";
    connection.cut();
    await net.clock.settle();
    const dialled = new Set(net.dialled.slice(1));
    expect(dialled.has("e:5") && dialled.has("f:6")).toBe(true);
    expect(dialled.has("d:4")).toBe(false);
    expect(net.dialled.at(-1)).toBe(connection.server);
  });

  test("a welcome of another session or cluster is not believed", async () => {
    const { net, client, connection } = await openClient();
    connection.cut();
    await net.clock.settle();
    net.last.welcome({ session: sessionId(8) });
    await net.clock.settle();
    expect(client.state.kind).toBe("suspended");
    await net.clock.advance(1_000);
    net.last.welcome({ clusterId: "other" });
    await net.clock.advance(1_000);
    expect(client.state.kind).toBe("suspended");
    net.last.welcome();
    expect(client.state.kind).toBe("connected");
  });

  test("connections that prove nothing are not made without pause", async () => {
    const { net, connection } = await openClient();
    net.onConnection = (next) => {
      next.onMessage = (message) => {
        if (message.kind !== "hello") return;
        next.welcome();
        next.cut();
      };
    };
    connection.cut();
    await net.clock.advance(5_000);
    expect(net.dialled.length).toBeLessThan(40);
  });

  test("a server that keeps finding fault with the client ends the session", async () => {
    const { net, client, connection } = await openClient();
    net.onConnection = (next) => {
      next.onMessage = (message) => {
        if (message.kind === "hello") next.welcome();
        else next.goodbye("PROTOCOL_ERROR", true);
      };
    };
    connection.goodbye("PROTOCOL_ERROR", true);
    await net.clock.advance(5_000);
    expect(client.state.kind).toBe("expired");
    expect(net.connections).toHaveLength(3);
  });
});

describe("states", () => {
  test("follows every state and ends after the last", async () => {
    const { net, client, connection } = await openClient();
    const seen: string[] = [];
    const following = (async () => {
      for await (const state of client.states()) seen.push(state.kind);
    })();
    connection.cut();
    await net.clock.settle();
    net.last.welcome();
    await net.clock.settle();
    net.last.goodbye("SESSION_EXPIRED", true);
    await following;
    expect(seen).toEqual(["suspended", "connected", "expired"]);
    for await (const state of client.states()) seen.push(state.kind);
    expect(seen).toHaveLength(3);
  });

  test("a signal ends the following, also one that has aborted already", async () => {
    const { client, connection } = await openClient();
    const abort = new AbortController();
    const states = client.states({ signal: abort.signal })[Symbol.asyncIterator]();
    const next = states.next();
    connection.cut();
    expect(await next).toMatchObject({ value: { kind: "suspended" } });
    const failure = errorOf(states.next());
    abort.abort(new Error("enough"));
    expect(await failure).toMatchObject({ code: "ABORTED", cause: { message: "enough" } });
    expect(await states.next()).toMatchObject({ done: true });
    const late = client.states({ signal: abort.signal })[Symbol.asyncIterator]();
    expect(await errorOf(late.next())).toMatchObject({ code: "ABORTED" });
  });

  test("leaving the loop leaves nothing at its signal", async () => {
    const { client, connection } = await openClient();
    const { signal } = new AbortController();
    const states = client.states({ signal });
    connection.cut();
    for await (const state of states) {
      expect(state.kind).toBe("suspended");
      expect(getEventListeners(signal, "abort")).toHaveLength(1);
      break;
    }
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
    connection.goodbye("SESSION_EXPIRED", true);
    const { signal: other } = new AbortController();
    client.states({ signal: other });
    void client.close();
    expect(getEventListeners(other, "abort")).toHaveLength(0);
  });

  test("an iterable that nobody iterates is held by nothing, and still tells every state from its call on", async () => {
    const { net, client, connection } = await openClient();
    const { signal } = new AbortController();
    const states = client.states({ signal });
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
    connection.cut();
    await net.clock.settle();
    net.last.welcome();
    await net.clock.settle();
    net.last.goodbye("SESSION_EXPIRED", true);
    const seen: string[] = [];
    for await (const { kind } of states) seen.push(kind);
    expect(seen).toEqual(["suspended", "connected", "expired"]);
  });
});

describe("close", () => {
  test("ends the session at the service and fails what waits", async () => {
    const { net, client, connection } = await openClient();
    const sent = errorOf(client.set("/a", "x"));
    await net.clock.settle();
    connection.take();
    const unsent = errorOf(client.set("/a", "x"));
    const closing = client.close();
    const closed = outcomeOf(closing);
    expect(await sent).toMatchObject({ code: "CLOSED", outcomeUnknown: true });
    expect(await unsent).toMatchObject({ code: "CLOSED", outcomeUnknown: false });
    const [close] = connection.takeKind("closeSession");
    expect(closed.state).toBe("pending");
    connection.send({ kind: "sessionClosed", cxid: close!.cxid, zxid: zxid(120) });
    await closing;
    expect(connection.isOpen).toBe(false);
    expect(client.state).toEqual({ kind: "closed" });
    expect(net.clock.timerCount).toBe(0);
    expect(client.close()).toBe(closing);
    expect(await errorOf(client.exists("/a"))).toMatchObject({ code: "CLOSED" });
  });

  test("waits no longer than five seconds", async () => {
    const { net, client } = await openClient();
    const closed = outcomeOf(client.close());
    await net.clock.advance(4_999);
    expect(closed.state).toBe("pending");
    await net.clock.advance(1);
    expect(closed.state).toBe("done");
    expect(net.clock.timerCount).toBe(0);
  });

  test("looks for a server when there is no connection", async () => {
    const { net, client, connection } = await openClient();
    connection.cut();
    const closing = client.close();
    await net.clock.settle();
    net.last.take();
    net.last.welcome();
    expect(net.last.takeKind("closeSession")).toHaveLength(1);
    net.last.goodbye("SESSION_EXPIRED", true);
    await closing;
    expect(net.clock.timerCount).toBe(0);
  });

  test("a connection lost while closing is replaced", async () => {
    const { net, client, connection } = await openClient();
    const closing = client.close();
    connection.goodbye("SHUTTING_DOWN");
    await net.clock.settle();
    expect(net.last).not.toBe(connection);
    net.last.welcome();
    const [close] = net.last.takeKind("closeSession");
    net.last.send({ kind: "sessionClosed", cxid: close!.cxid, zxid: zxid(120) });
    await closing;
  });

  test("await using closes", async () => {
    const { net, client, connection } = await openClient();
    connection.onMessage = (message) => {
      if (message.kind !== "closeSession") return;
      connection.send({ kind: "sessionClosed", cxid: message.cxid, zxid: zxid(120) });
    };
    {
      await using scoped = client;
      expect(scoped.session).toBe(7);
    }
    expect(client.state.kind).toBe("closed");
    expect(net.clock.timerCount).toBe(0);
    connection.reply(writeSeq(1), 121);
  });
});
