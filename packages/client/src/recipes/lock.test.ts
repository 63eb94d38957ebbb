import {
  fencingToken,
  writeSeq,
  zxid,
  type ClientMessage,
  type WriteReply,
} from "@quorate/kv-store/protocol";
import { describe, expect, test } from "vitest";
import type { FakeConnection } from "../../../../tests/support/client/fake-network.ts";
import { only } from "../../../../tests/support/client/fixtures.ts";
import {
  errorOf,
  openClient,
  outcomeOf,
  type OpenClient,
} from "../../../../tests/support/client/open-client.ts";
import type { Lock } from "../api.ts";
import type { QuorateError } from "../errors.ts";

const CONTENDER = "/locks/a/c-0000000001";
const TOKEN = fencingToken(101);

function placed(held: boolean, token = TOKEN): WriteReply {
  return { kind: "acquire", contender: CONTENDER, token, held };
}

function granted(at: number, token = TOKEN) {
  return {
    kind: "granted",
    zxid: zxid(at),
    path: "/locks/a",
    contender: CONTENDER,
    token,
  } as const;
}

/** Answers the question where the contender stands, if it was asked. */
function tell(connection: FakeConnection, state: "held" | "waiting" | "gone"): number {
  const reads = connection
    .takeKind("read")
    .filter(({ query }) => query.kind === "contender" && query.token === TOKEN);
  for (const { cxid } of reads) {
    const value = { kind: "contender", state } as const;
    connection.send({ kind: "readReply", cxid, zxid: zxid(200), reply: { ok: true, value } });
  }
  return reads.length;
}

function releases(messages: readonly ClientMessage[]): number[] {
  return messages.flatMap((message) => {
    if (message.kind !== "write") return [];
    return message.ops.flatMap((op) => (op.kind === "release" ? [op.token] : []));
  });
}

async function held(): Promise<OpenClient & { readonly lock: Lock }> {
  const opened = await openClient();
  const acquiring = opened.client.lock("/locks/a").acquire();
  await opened.net.clock.settle();
  opened.connection.reply(1, 101, placed(true));
  const lock = await acquiring;
  await opened.net.clock.settle();
  return { ...opened, lock };
}

async function waiting(): Promise<OpenClient & { readonly acquiring: Promise<Lock> }> {
  const opened = await openClient();
  const acquiring = opened.client.lock("/locks/a").acquire();
  await opened.net.clock.settle();
  opened.connection.reply(1, 101, placed(false));
  await opened.net.clock.settle();
  return { ...opened, acquiring };
}

async function reconnect({ net }: OpenClient): Promise<FakeConnection> {
  net.last.cut();
  await net.clock.settle();
  net.last.take();
  net.last.welcome();
  await net.clock.settle();
  return net.last;
}

describe("acquire", () => {
  test("a free lock is held at once, with its token", async () => {
    const { client, connection, net } = await openClient();
    const data = new TextEncoder().encode("me");
    const acquiring = client.lock("/locks/a").acquire({ data });
    await net.clock.settle();
    expect(connection.take()).toMatchObject([
      { kind: "write", ops: [{ kind: "acquire", path: "/locks/a", data, wait: true }] },
    ]);
    connection.reply(1, 101, placed(true));
    const lock = await acquiring;
    expect(lock).toMatchObject({ path: "/locks/a", contender: CONTENDER, token: 101 });
    expect(lock.guard()).toEqual({ kind: "guard", path: "/locks/a", token: 101 });
    expect(lock.signal.aborted).toBe(false);
    lock.assertHeld();
  });

  test("waits for the grant, also when it comes in the frame of the answer", async () => {
    const { client, connection, net } = await openClient();
    const acquiring = client.lock("/locks/a").acquire();
    await net.clock.settle();
    const outcome = { ok: true, zxid: zxid(101), replies: [placed(false)] } as const;
    connection.send({ kind: "writeReply", writeSeq: writeSeq(1), outcome }, granted(102));
    expect((await acquiring).token).toBe(101);
  });

  test("a grant missed while disconnected is asked for", async () => {
    const opened = await waiting();
    const lock = outcomeOf(opened.acquiring);
    opened.connection.cut();
    // Lost: the connection it was meant for is gone.
    opened.connection.send(granted(102));
    await opened.net.clock.settle();
    opened.net.last.take();
    opened.net.last.welcome();
    await opened.net.clock.settle();
    expect(lock.state).toBe("pending");
    expect(tell(opened.net.last, "held")).toBe(1);
    expect((await opened.acquiring).token).toBe(101);
  });

  test("the question is asked before writes and other reads", async () => {
    const opened = await waiting();
    void opened.client.set("/a", "x");
    await opened.net.clock.settle();
    const connection = await reconnect(opened);
    const kinds = connection.take().map((message) => message.kind);
    expect(kinds).toEqual(["ping", "addWatch", "read", "write"]);
  });

  test("still in line after a reconnect: waits on", async () => {
    const opened = await waiting();
    const lock = outcomeOf(opened.acquiring);
    const connection = await reconnect(opened);
    tell(connection, "waiting");
    await opened.net.clock.settle();
    expect(lock.state).toBe("pending");
    connection.send(granted(120));
    await opened.net.clock.settle();
    expect(lock.state).toBe("done");
  });

  test("LOCK_LOST if its place is gone", async () => {
    const opened = await waiting();
    const failure = errorOf(opened.acquiring);
    tell(await reconnect(opened), "gone");
    expect(await failure).toMatchObject({ code: "LOCK_LOST", path: "/locks/a" });
  });

  test("LOCK_LOST if somebody deletes its znode", async () => {
    const { net, connection, acquiring } = await waiting();
    const failure = errorOf(acquiring);
    await net.clock.settle();
    const [watch] = connection.takeKind("addWatch");
    expect(watch).toMatchObject({ path: CONTENDER, sinceZxid: 101 });
    const event = { zxid: zxid(110), kind: "deleted", path: CONTENDER } as const;
    const events = [{ watchIds: [watch!.watchId], event }];
    connection.send({ kind: "events", zxid: zxid(110), events });
    expect(await failure).toMatchObject({ code: "LOCK_LOST" });
  });

  test("an answer that was asked for twice is not believed without asking where it stands", async () => {
    const { client, net } = await openClient();
    const acquiring = client.lock("/locks/a").acquire();
    const lock = outcomeOf(acquiring);
    await net.clock.settle();
    net.last.cut();
    await net.clock.settle();
    net.last.welcome();
    await net.clock.settle();
    net.last.take();
    net.last.reply(1, 101, placed(true));
    await net.clock.settle();
    expect(lock.state).toBe("pending");
    tell(net.last, "held");
    expect((await acquiring).token).toBe(101);
  });

  test("nor is one that was sent again after a refusal: a copy may have been in the log, and been granted", async () => {
    const { client, connection, net } = await openClient();
    const acquiring = client.lock("/locks/a").acquire();
    await net.clock.settle();
    const refusal = { code: "OVERLOADED", retryAfterMs: 10 } as const;
    connection.send({ kind: "refused", fromSeq: writeSeq(1), ...refusal });
    // The copy: its place in line is not known here yet.
    connection.send(granted(110));
    await net.clock.advance(2_000);
    expect(connection.takeKind("write")).toHaveLength(2);
    connection.reply(1, 101, placed(false));
    await net.clock.settle();
    expect(tell(connection, "held")).toBe(1);
    expect((await acquiring).token).toBe(101);
  });

  test("aborted before it is sent: nothing is sent", async () => {
    const { client, connection, net } = await openClient();
    const abort = new AbortController();
    const failure = errorOf(client.lock("/locks/a").acquire({ signal: abort.signal }));
    abort.abort();
    expect(await failure).toMatchObject({ code: "ABORTED", outcomeUnknown: false });
    await net.clock.settle();
    expect(connection.take()).toEqual([]);
  });

  test.each([true, false])(
    "aborted before the answer: given back then (held: %s)",
    async (isHeld) => {
      const { client, connection, net } = await openClient();
      const failure = errorOf(client.lock("/locks/a").acquire({ timeoutMs: 100 }));
      await net.clock.advance(100);
      expect(await failure).toMatchObject({ code: "TIMEOUT", outcomeUnknown: false });
      expect(releases(connection.take())).toEqual([]);
      connection.reply(1, 101, placed(isHeld));
      await net.clock.settle();
      expect(releases(connection.take())).toEqual([101]);
      connection.send({
        kind: "writeReply",
        writeSeq: writeSeq(2),
        outcome: { ok: false, zxid: zxid(102), code: "NO_NODE", opIndex: 0 },
      });
    },
  );

  test("aborted in line: leaves it, a late grant changes nothing", async () => {
    const { client, connection, net } = await openClient();
    const abort = new AbortController();
    const failure = errorOf(client.lock("/locks/a").acquire({ signal: abort.signal }));
    await net.clock.settle();
    connection.reply(1, 101, placed(false));
    await net.clock.settle();
    connection.take();
    abort.abort();
    expect(await failure).toMatchObject({ code: "ABORTED" });
    connection.send(granted(103));
    await net.clock.settle();
    const messages = connection.take();
    expect(releases(messages)).toEqual([101]);
    expect(messages.some((message) => message.kind === "removeWatch")).toBe(true);
  });

  test("the deadline passes before the grant: the session's end, not a lock", async () => {
    const { net, connection, acquiring } = await waiting();
    const failure = errorOf(acquiring);
    net.clock.sleep(9_500);
    connection.send(granted(103));
    await net.clock.advance(2);
    expect(await failure).toMatchObject({ code: "SESSION_EXPIRED" });
  });

  test("the service's refusal is the caller's", async () => {
    const { client, connection, net } = await openClient();
    const failure = errorOf(client.lock("/locks/a").acquire());
    await net.clock.settle();
    connection.send({
      kind: "writeReply",
      writeSeq: writeSeq(1),
      outcome: { ok: false, zxid: zxid(101), code: "LOCK_DIRECTORY", opIndex: 0 },
    });
    expect(await failure).toMatchObject({ code: "LOCK_DIRECTORY", path: "/locks/a" });
    expect(await errorOf(client.lock("nowhere").acquire())).toMatchObject({ code: "BAD_PATH" });
  });

  test("tryAcquire: the lock or null", async () => {
    const { client, connection, net } = await openClient();
    const first = client.lock("/locks/a").tryAcquire();
    const second = client.lock("/locks/a").tryAcquire();
    await net.clock.settle();
    expect(connection.takeKind("write")[0]).toMatchObject({ ops: [{ wait: false }] });
    connection.reply(1, 101, placed(true));
    connection.send({
      kind: "writeReply",
      writeSeq: writeSeq(2),
      outcome: { ok: false, zxid: zxid(102), code: "LOCK_HELD", opIndex: 0 },
    });
    expect((await first)?.token).toBe(101);
    expect(await second).toBeNull();
  });
});

describe("holding", () => {
  test("release: the signal aborts first, then the lock is given back, once", async () => {
    const { net, connection, lock } = await held();
    connection.take();
    const releasing = lock.release();
    const released = outcomeOf(releasing);
    expect(lock.signal.reason).toMatchObject({ code: "LOCK_LOST" });
    expect(() => lock.assertHeld()).toThrow("LOCK_LOST");
    expect(lock.release()).toBe(releasing);
    await net.clock.settle();
    expect(releases(connection.take())).toEqual([101]);
    expect(released.state).toBe("pending");
    connection.reply(2, 102, { kind: "release" });
    await releasing;
  });

  test("a release of what is gone already is fine", async () => {
    const { net, connection, lock } = await held();
    const releasing = lock[Symbol.asyncDispose]();
    await net.clock.settle();
    connection.send({
      kind: "writeReply",
      writeSeq: writeSeq(2),
      outcome: { ok: false, zxid: zxid(102), code: "NO_NODE", opIndex: 0 },
    });
    await releasing;
  });

  test("a release that failed may be repeated", async () => {
    const { net, connection, lock } = await held();
    connection.take();
    const failure = errorOf(lock.release());
    await net.clock.settle();
    const outcome = { ok: false, zxid: zxid(102), code: "INTERNAL", opIndex: 0 } as const;
    connection.send({ kind: "writeReply", writeSeq: writeSeq(2), outcome });
    expect(await failure).toMatchObject({ code: "INTERNAL" });
    connection.take();
    const again = lock.release();
    await net.clock.settle();
    expect(releases(connection.take())).toEqual([101]);
    connection.reply(3, 103, { kind: "release" });
    await again;
    await lock.release();
    await net.clock.settle();
    expect(connection.take()).toEqual([]);
  });

  test("who waits for a release may stop waiting; the lock is given back all the same", async () => {
    const { net, connection, lock } = await held();
    connection.take();
    const abort = new AbortController();
    const aborted = errorOf(lock.release({ signal: abort.signal }));
    const late = errorOf(lock.release({ timeoutMs: 50 }));
    const rest = lock.release();
    await net.clock.settle();
    abort.abort();
    expect(await aborted).toMatchObject({
      code: "ABORTED",
      path: "/locks/a",
      outcomeUnknown: true,
    });
    await net.clock.advance(50);
    expect(await late).toMatchObject({ code: "TIMEOUT", path: "/locks/a", outcomeUnknown: true });
    expect(releases(connection.take())).toEqual([101]);
    connection.reply(2, 102, { kind: "release" });
    await rest;
    await lock.release({ timeoutMs: 50 });
    expect(await errorOf(lock.release({ timeoutMs: -1 }))).toMatchObject({ code: "BAD_ARGUMENTS" });
  });

  test("a signal that has aborted already does not keep a lock from being given back", async () => {
    const { net, connection, lock } = await held();
    connection.take();
    const failure = errorOf(lock.release({ signal: AbortSignal.abort() }));
    expect(await failure).toMatchObject({ code: "ABORTED" });
    await net.clock.settle();
    expect(releases(connection.take())).toEqual([101]);
  });

  test("scopes end in reverse: the lock is given back before the client closes", async () => {
    const opened = await held();
    const { connection } = opened;
    const seen: string[] = [];
    connection.onMessage = (message) => {
      if (message.kind === "write") {
        seen.push(message.ops[0]?.kind ?? "skip");
        connection.reply(message.writeSeq, 102, { kind: "release" });
      } else if (message.kind === "closeSession") {
        seen.push(message.kind);
        connection.send({ kind: "sessionClosed", cxid: message.cxid, zxid: zxid(103) });
      }
    };
    const scope = async (): Promise<void> => {
      await using client = opened.client;
      await using lock = opened.lock;
      expect(client.session).toBe(7);
      lock.assertHeld();
    };
    const scoped = scope();
    await opened.net.clock.settle();
    await scoped;
    expect(seen).toEqual(["release", "closeSession"]);
  });

  test("the deadline aborts the signal before anything else learns of the end", async () => {
    const { net, client, connection, lock } = await held();
    const order: string[] = [];
    lock.signal.addEventListener("abort", () => {
      order.push(`abort in ${client.state.kind}`);
      // Whatever a listener asks is refused, nothing breaks.
      client.set("/a", "x").catch((error: QuorateError) => order.push(error.code));
      void lock.release();
    });
    const write = client.set("/b", "x").catch(() => order.push("write"));
    net.answer = () => "refuse";
    connection.cut();
    await net.clock.advance(9_499);
    lock.assertHeld();
    expect(order).toEqual([]);
    await net.clock.advance(1);
    await write;
    expect(order).toEqual(["abort in suspended", "SESSION_EXPIRED", "write"]);
    const reason = lock.signal.reason as QuorateError;
    expect(reason).toMatchObject({ code: "LOCK_LOST", cause: { code: "SESSION_EXPIRED" } });
  });

  test("assertHeld looks at the clock, however late the timers are", async () => {
    const { net, client, lock } = await held();
    net.clock.sleep(9_500);
    expect(() => lock.assertHeld()).toThrow("LOCK_LOST");
    expect(lock.signal.aborted).toBe(true);
    expect(client.state.kind).toBe("expired");
  });

  test("an administrator's delete aborts the signal", async () => {
    const { connection, lock } = await held();
    const [watch] = connection.takeKind("addWatch");
    const event = { zxid: zxid(110), kind: "deleted", path: CONTENDER } as const;
    const events = [{ watchIds: [watch!.watchId], event }];
    connection.send({ kind: "events", zxid: zxid(110), events });
    expect(lock.signal.reason).toMatchObject({ code: "LOCK_LOST" });
    await lock.release();
  });

  test("it is asked where it stands when its watch has lost events", async () => {
    const opened = await held();
    const connection = await reconnect(opened);
    const { cxid, watchId } = only(connection.takeKind("addWatch"));
    const oldestZxid = zxid(150);
    connection.send({ kind: "watchLost", cxid, watchId, oldestZxid, zxid: zxid(200) });
    await opened.net.clock.settle();
    expect(tell(connection, "gone")).toBe(1);
    await opened.net.clock.settle();
    expect(opened.lock.signal.aborted).toBe(true);
  });

  test("close() ends it", async () => {
    const { client, lock, net } = await held();
    const closing = client.close();
    expect(lock.signal.reason).toMatchObject({ code: "LOCK_LOST", cause: { code: "CLOSED" } });
    await net.clock.advance(5_000);
    await closing;
    await lock.release();
  });

  test("whoever closes the client because of its end waits for the service, too", async () => {
    const { client, connection, lock, net } = await held();
    let inner: Promise<void> | null = null;
    lock.signal.addEventListener("abort", () => {
      inner = client.close();
    });
    const closing = client.close();
    expect(inner).toBe(closing);
    const closed = outcomeOf(closing);
    await net.clock.settle();
    expect(closed.state).toBe("pending");
    const { cxid } = only(connection.takeKind("closeSession"));
    connection.send({ kind: "sessionClosed", cxid, zxid: zxid(120) });
    await closing;
  });
});
