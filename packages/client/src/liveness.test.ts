import { fencingToken, zxid } from "@quorate/kv-store/protocol";
import { describe, expect, test } from "vitest";
import { FakeNetwork } from "../../../tests/support/client/fake-network.ts";
import { STAT } from "../../../tests/support/client/fixtures.ts";
import {
  errorOf,
  heldLock,
  openClient,
  outcomeOf,
} from "../../../tests/support/client/open-client.ts";
import { connect } from "./connect.ts";

describe("liveness", () => {
  test("pings at once and then every quarter of the timeout", async () => {
    const net = new FakeNetwork();
    const connecting = connect({ servers: ["a:1"] }, net.ports);
    await net.clock.settle();
    net.last.welcome();
    await connecting;
    await net.clock.settle();
    expect(net.last.takeKind("ping")).toEqual([{ kind: "ping", pingId: 1 }]);
    net.last.send({ kind: "pong", pingId: 1, zxid: zxid(100) });
    await net.clock.advance(2_499);
    expect(net.last.takeKind("ping")).toHaveLength(0);
    await net.clock.advance(1);
    expect(net.last.takeKind("ping")).toEqual([{ kind: "ping", pingId: 2 }]);
  });

  test("a half-open connection is given up after half the timeout", async () => {
    const { net, client, connection } = await openClient();
    net.isFrozen = true;
    await net.clock.advance(4_999);
    expect(client.state.kind).toBe("connected");
    net.isFrozen = false;
    await net.clock.advance(1);
    expect(client.state.kind).toBe("suspended");
    expect(connection.isOpen).toBe(false);
    expect(net.last.server).not.toBe(connection.server);
    expect(net.last.hello()).toMatchObject({ session: 7 });
  });

  test("answers without pongs prove nothing", async () => {
    const { net, client, connection } = await openClient();
    for (let i = 0; i < 5; i += 1) {
      await net.clock.advance(1_000);
      connection.send({ kind: "events", zxid: zxid(200 + i), events: [] });
    }
    expect(client.state.kind).toBe("suspended");
  });

  test("the deadline counts from the sending of the ping that was answered", async () => {
    const { net, client, connection } = await openClient();
    await net.clock.advance(2_500);
    connection.take();
    await net.clock.advance(2_000);
    // Ping 2 was sent at 2,500; its pong at 4,500 vouches until 12,500, less the margin of a twentieth.
    connection.send({ kind: "pong", pingId: 2, zxid: zxid(100) });
    net.answer = () => "refuse";
    connection.cut();
    expect(client.state).toMatchObject({ kind: "suspended", until: 1_000 + 12_000 });
    await net.clock.advance(7_499);
    expect(client.state.kind).toBe("suspended");
    await net.clock.advance(1);
    expect(client.state.kind).toBe("expired");
    expect(net.clock.timerCount).toBe(0);
  });

  test("a client tells until when its session certainly lives", async () => {
    const { net, client, connection } = await openClient();
    await net.clock.advance(2_500);
    expect(client.livesUntil).toBe(1_000 + 9_500);
    connection.send({ kind: "pong", pingId: 2, zxid: zxid(100) });
    expect(client.livesUntil).toBe(1_000 + 12_000);
    net.answer = () => "refuse";
    connection.cut();
    expect(client.livesUntil).toBe(1_000 + 12_000);
    await net.clock.advance(9_500);
    expect([client.state.kind, client.livesUntil]).toEqual(["expired", -Infinity]);
  });

  test("a suspend of the machine counts, although the clock that applications see stands still meanwhile", async () => {
    const opened = await openClient();
    const { net, client } = opened;
    const lock = await heldLock(opened);
    net.clock.suspend(5_000);
    expect(client.livesUntil).toBe(1_000 + 9_500 - 5_000);
    lock.assertHeld();
    net.clock.suspend(4_500);
    expect(() => lock.assertHeld()).toThrow("LOCK_LOST");
    expect([lock.signal.aborted, client.state.kind]).toEqual([true, "expired"]);
  });

  test.each([true, false])(
    "a suspend beyond the deadline is noticed within a quarter of the timeout (with a connection: %s)",
    async (hasLink) => {
      const opened = await openClient();
      const { net, client, connection } = opened;
      const lock = await heldLock(opened);
      net.answer = () => "refuse";
      if (!hasLink) connection.cut();
      net.clock.suspend(60_000);
      await net.clock.advance(2_501);
      expect([client.state.kind, lock.signal.aborted]).toEqual(["expired", true]);
    },
  );

  test("a suspend beyond the deadline ends the waiting for a lock as soon", async () => {
    const { net, client, connection } = await openClient();
    const acquiring = outcomeOf(client.lock("/l").acquire());
    await net.clock.settle();
    const place = { contender: "/l/c-0000000001", token: fencingToken(101), held: false } as const;
    connection.reply(1, 101, { kind: "acquire", ...place });
    await net.clock.settle();
    net.clock.suspend(60_000);
    await net.clock.advance(2_501);
    expect([client.state.kind, acquiring.state]).toEqual(["expired", "failed"]);
  });

  test("a welcome proves no life beyond what is known: it may answer the hello of an earlier connection", async () => {
    const { net, client, connection } = await openClient();
    connection.cut();
    await net.clock.advance(900);
    net.last.welcome();
    net.last.cut();
    expect(client.state).toMatchObject({ kind: "suspended", until: 1_000 + 9_500 });
    await net.clock.advance(900);
    net.last.welcome();
    await net.clock.settle();
    const [ping] = net.last.takeKind("ping");
    net.last.send({ kind: "pong", pingId: ping!.pingId, zxid: zxid(100) });
    net.answer = () => "refuse";
    net.last.cut();
    expect(client.state).toMatchObject({ kind: "suspended", until: 1_000 + 1_800 + 9_500 });
  });

  test("a welcome with a shorter timeout counts from the last proof of life", async () => {
    const net = new FakeNetwork();
    const options = { servers: ["a:1", "b:1"], sessionTimeoutMs: 60_000 };
    const connecting = connect(options, net.ports);
    await net.clock.settle();
    net.last.welcome({ timeoutMs: 60_000 });
    const client = await connecting;
    await net.clock.settle();
    net.last.send({ kind: "pong", pingId: 1, zxid: zxid(100) });
    await net.clock.advance(1_000);
    net.last.cut();
    await net.clock.settle();
    net.last.welcome({ timeoutMs: 10_000 });
    expect(client.state.kind).toBe("connected");
    net.answer = () => "refuse";
    net.last.cut();
    expect(client.state).toMatchObject({ kind: "suspended", until: 1_000 + 9_500 });
    await net.clock.advance(8_500);
    expect(client.state.kind).toBe("expired");
  });

  test("a session that is taken up again asks for the timeout it was granted", async () => {
    const { net, connection } = await openClient({ sessionTimeoutMs: 60_000 });
    connection.cut();
    await net.clock.advance(900);
    expect(net.last.hello()).toMatchObject({ session: 7, timeoutMs: 10_000 });
  });

  test("a first welcome that came too late makes way for another session at once", async () => {
    const net = new FakeNetwork();
    const options = { servers: ["a:1", "b:1"], sessionTimeoutMs: 40_000 };
    const connecting = connect(options, net.ports);
    const outcome = outcomeOf(connecting);
    const hellos = new Set<string>();
    await net.clock.settle();
    for (let now = 0; now < 10_000 && outcome.state === "pending"; now += 10) {
      const { last } = net;
      const [hello] = last.isOpen ? last.takeKind("hello") : [];
      if (hello !== undefined) {
        hellos.add(hello.secret.join());
        if (now < 4_000) last.goodbye("NOT_READY");
        else last.welcome({ timeoutMs: 4_000 });
      }
      await net.clock.advance(10);
    }
    expect(outcome.state).toBe("done");
    expect((await connecting).sessionTimeoutMs).toBe(4_000);
    expect(hellos.size).toBe(2);
  });

  test("the first welcome counts from the first hello with its secret", async () => {
    const net = new FakeNetwork();
    const connecting = connect({ servers: ["a:1"] }, net.ports);
    await net.clock.advance(500);
    net.last.cut();
    await net.clock.advance(300);
    net.last.welcome();
    const client = await connecting;
    net.answer = () => "refuse";
    net.last.cut();
    expect(client.state).toMatchObject({ kind: "suspended", until: 1_000 + 9_500 });
  });

  test("a secret of which the service may have known for long makes way for another", async () => {
    const net = new FakeNetwork();
    const connecting = connect({ servers: ["a:1"] }, net.ports);
    await net.clock.settle();
    const first = net.last.hello();
    await net.clock.advance(5_000);
    expect(net.connections.length).toBeGreaterThan(2);
    for (const connection of net.connections.slice(1, -1)) {
      expect(connection.hello().secret).toEqual(first.secret);
    }
    await net.clock.advance(4_000);
    const { secret } = net.last.hello();
    expect(secret).not.toEqual(first.secret);
    net.last.welcome();
    const client = await connecting;
    net.answer = () => "refuse";
    net.last.cut();
    const { until } = client.state as { until: number };
    expect(until).toBeGreaterThan(1_000 + 5_000 + 9_500);
    expect(until).toBeLessThan(1_000 + 9_000 + 9_500);
  });

  test("a pong for a ping of an earlier connection vouches for nothing", async () => {
    const { net, client, connection } = await openClient();
    await net.clock.advance(2_500);
    const [ping] = connection.takeKind("ping");
    connection.cut();
    await net.clock.settle();
    net.last.welcome();
    net.last.send({ kind: "pong", pingId: ping!.pingId, zxid: zxid(100) });
    net.answer = () => "refuse";
    net.last.cut();
    // The ping that was answered was sent with the first welcome: that is all there is.
    expect(client.state).toMatchObject({ kind: "suspended", until: 1_000 + 9_500 });
    const pauseAfterUnproven = net.dialled.length;
    await net.clock.settle();
    expect(net.dialled).toHaveLength(pauseAfterUnproven);
    await net.clock.advance(7_000);
    expect(client.state.kind).toBe("expired");
  });

  test("a pause beyond the deadline is survived with a pong that waits in the socket", async () => {
    const { net, client, connection } = await openClient();
    await net.clock.advance(2_500);
    const read = client.get("/a");
    await net.clock.settle();
    net.clock.sleep(7_200);
    expect(client.livesUntil).toBeLessThan(net.clock.nowMs());
    await net.clock.advance(0);
    const outcome = outcomeOf(read);
    connection.send({
      kind: "readReply",
      cxid: 1,
      zxid: zxid(102),
      reply: { ok: true, value: { kind: "get", data: new Uint8Array(0), stat: STAT } },
    });
    await net.clock.settle();
    // Not believed before life is proved, and not forgotten.
    expect([outcome.state, client.lastZxid]).toEqual(["pending", 100]);
    connection.send({ kind: "pong", pingId: 2, zxid: zxid(103) });
    await net.clock.settle();
    expect([outcome.state, client.lastZxid]).toEqual(["done", 103]);
    expect([client.state.kind, client.livesUntil]).toEqual(["connected", 1_000 + 12_000]);
    await net.clock.advance(1);
    const [ping] = connection.takeKind("ping").slice(-1);
    connection.send({ kind: "pong", pingId: ping!.pingId, zxid: zxid(103) });
    await net.clock.advance(1_000);
    expect(client.state.kind).toBe("connected");
  });

  test("a pause beyond the deadline ends a session that holds a lock at once", async () => {
    const opened = await openClient();
    const { net, client, connection } = opened;
    const lock = await heldLock(opened);
    await net.clock.advance(2_500);
    net.clock.sleep(7_200);
    connection.send({ kind: "pong", pingId: 2, zxid: zxid(103) });
    expect(lock.signal.aborted).toBe(true);
    expect(() => lock.assertHeld()).toThrow("LOCK_LOST");
    expect(client.state.kind).toBe("expired");
  });

  test("a pause beyond the deadline ends the session when no pong waits, after one round of input", async () => {
    const { net, client } = await openClient();
    net.clock.sleep(9_600);
    await net.clock.advance(0);
    expect(client.state.kind).toBe("connected");
    await net.clock.advance(1);
    expect(client.state.kind).toBe("expired");
    expect(net.clock.timerCount).toBe(0);
  });

  test("a connection that breaks after such a pause takes the session with it", async () => {
    const { net, client, connection } = await openClient();
    net.clock.sleep(9_600);
    connection.cut();
    expect(client.state.kind).toBe("expired");
    expect(net.clock.timerCount).toBe(0);
  });

  test("after a pause of the process no message but a proof of life is believed", async () => {
    const { net, client, connection } = await openClient();
    const seen = outcomeOf(client.get("/a"));
    await net.clock.settle();
    net.clock.sleep(9_500);
    connection.send(
      { kind: "pong", pingId: 1, zxid: zxid(100) },
      {
        kind: "readReply",
        cxid: 1,
        zxid: zxid(100),
        reply: { ok: true, value: { kind: "get", data: new Uint8Array(0), stat: STAT } },
      },
    );
    await net.clock.advance(2);
    expect(client.state.kind).toBe("expired");
    expect(seen.state).toBe("failed");
  });

  test("a pause that ends before the deadline lets buffered pongs be heard first", async () => {
    const { net, client, connection } = await openClient();
    net.clock.sleep(8_000);
    await net.clock.advance(0);
    expect(client.state.kind).toBe("connected");
    connection.send({ kind: "pong", pingId: 1, zxid: zxid(100) });
    const [ping] = connection.takeKind("ping");
    connection.send({ kind: "pong", pingId: ping!.pingId, zxid: zxid(100) });
    await net.clock.advance(3_000);
    expect(client.state.kind).toBe("connected");
  });

  test.each(["SESSION_EXPIRED", "HISTORY_CHANGED"] as const)(
    "goodbye %s is the end",
    async (code) => {
      const { net, client, connection } = await openClient();
      const failure = errorOf(client.set("/a", "x"));
      const unsent = client.set("/b", "y").catch((error: unknown) => error);
      await net.clock.settle();
      connection.goodbye(code, true);
      expect(client.state).toEqual({ kind: "expired", session: 7 });
      expect(await failure).toMatchObject({ code: "SESSION_EXPIRED", outcomeUnknown: true });
      expect(await unsent).toMatchObject({ code: "SESSION_EXPIRED", outcomeUnknown: true });
      expect(await errorOf(client.get("/a"))).toMatchObject({
        code: "SESSION_EXPIRED",
        outcomeUnknown: false,
      });
      expect(net.clock.timerCount).toBe(0);
      await client.close();
    },
  );

  test("an end for want of servers says what was in the way of each", async () => {
    const { net, client, connection } = await openClient();
    net.answer = () => "refuse";
    const failure = errorOf(client.exists("/a"));
    connection.cut();
    await net.clock.advance(9_500);
    expect(await failure).toMatchObject({
      code: "SESSION_EXPIRED",
      cause: { code: "CONNECTION_FAILED", message: expect.stringContaining("refused") },
    });
  });

  test("a reattach that is refused with SESSION_EXPIRED is the end", async () => {
    const { net, client, connection } = await openClient();
    connection.cut();
    await net.clock.settle();
    net.last.goodbye("SESSION_EXPIRED", true);
    expect(client.state.kind).toBe("expired");
    await net.clock.advance(5_000);
    expect(net.connections).toHaveLength(2);
  });
});
