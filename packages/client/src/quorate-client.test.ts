import {
  PROTOCOL_LIMITS,
  fencingToken,
  sessionId,
  writeSeq,
  zxid,
  type ErrorCode,
  type Query,
  type QueryReply,
  type WriteOp,
} from "@quorate/kv-store/protocol";
import { describe, expect, test } from "vitest";
import type { FakeConnection } from "../../../tests/support/client/fake-network.ts";
import { STAT, only } from "../../../tests/support/client/fixtures.ts";
import { errorOf, openClient } from "../../../tests/support/client/open-client.ts";
import type { CallOptions, MultiOp, ReadOptions } from "./api.ts";

/** Answers every read there is. */
function answer(connection: FakeConnection, make: (query: Query) => QueryReply): Query[] {
  const reads = connection.takeKind("read");
  for (const { cxid, query } of reads) {
    const reply = { ok: true, value: make(query) } as const;
    connection.send({ kind: "readReply", cxid, zxid: zxid(140), reply });
  }
  return reads.map(({ query }) => query);
}

describe("writes", () => {
  test("become ops and their replies results", async () => {
    const { net, client, connection } = await openClient();
    const created = client.create("/a-", "é", { mode: "ephemeralSequential" });
    const set = client.set("/a", Uint8Array.of(1), { version: 2 });
    const deleted = client.delete("/a");
    const ops: WriteOp[] = [{ kind: "check", path: "/b", version: null }];
    const checked = client.multi(ops);
    await net.clock.settle();
    expect(connection.takeKind("write").map((message) => message.ops)).toEqual([
      [
        {
          kind: "create",
          path: "/a-",
          data: new Uint8Array([0xc3, 0xa9]),
          mode: "ephemeralSequential",
        },
      ],
      [{ kind: "set", path: "/a", data: new Uint8Array([1]), version: 2 }],
      [{ kind: "delete", path: "/a", version: null }],
      ops,
    ]);
    connection.reply(1, 101, { kind: "create", path: "/a-0000000001", stat: STAT });
    connection.reply(2, 102, { kind: "set", stat: STAT });
    connection.reply(3, 103, { kind: "delete" });
    connection.reply(4, 104, { kind: "check", stat: STAT });
    expect(await created).toBe("/a-0000000001");
    expect(await set).toEqual(STAT);
    expect(await deleted).toBeUndefined();
    expect(await checked).toEqual([{ kind: "check", stat: STAT }]);
    expect(client.lastZxid).toBe(104);
  });

  test("a failure names the op and its path", async () => {
    const { net, client, connection } = await openClient();
    const failure = errorOf(
      client.multi([
        { kind: "check", path: "/a", version: 1 },
        { kind: "guard", path: "/b", token: fencingToken(5) },
      ]),
    );
    await net.clock.settle();
    connection.send({
      kind: "writeReply",
      writeSeq: writeSeq(1),
      outcome: { ok: false, zxid: zxid(101), code: "FENCED", opIndex: 1 },
    });
    expect(await failure).toMatchObject({
      name: "QuorateError",
      code: "FENCED",
      opIndex: 1,
      path: "/b",
      retryable: false,
      outcomeUnknown: false,
    });
  });

  test("an answer of another kind is an error", async () => {
    const { net, client, connection } = await openClient();
    const failure = errorOf(client.set("/a", "x"));
    await net.clock.settle();
    connection.reply(1, 101, { kind: "delete" });
    expect(await failure).toMatchObject({ code: "PROTOCOL_ERROR" });
  });

  const badOps: readonly (readonly [string, unknown])[] = [
    ["BAD_PATH", { kind: "delete", path: "a", version: null }],
    ["BAD_PATH", { kind: "delete", path: 5, version: null }],
    ["RESERVED_PATH", { kind: "delete", path: "/quorate/x", version: null }],
    ["BAD_ARGUMENTS", { kind: "delete", path: "/a", version: -1 }],
    ["BAD_ARGUMENTS", { kind: "set", path: "/a", data: new Uint8Array(0), version: 0.5 }],
    ["BAD_ARGUMENTS", { kind: "set", path: "/a", data: 5, version: null }],
    ["BAD_ARGUMENTS", { kind: "set", path: "/a" }],
    ["BAD_ARGUMENTS", { kind: "create", path: "/a", data: new Uint8Array(0), mode: "other" }],
    ["BAD_ARGUMENTS", { kind: "acquire", path: "/a", data: new Uint8Array(0), wait: 1 }],
    ["BAD_ARGUMENTS", { kind: "guard", path: "/a", token: "x" }],
    ["BAD_ARGUMENTS", { kind: "guard", path: "/a", token: -1 }],
    ["BAD_ARGUMENTS", { kind: "release", path: "/a", token: -1 }],
    ["BAD_ARGUMENTS", { kind: "rename", path: "/a" }],
    ["TOO_LARGE", { kind: "set", path: "/a", data: new Uint8Array(1_048_577), version: null }],
  ];
  test.each(badOps)("%s before a number is taken (%#)", async (code, op) => {
    const { net, client, connection } = await openClient();
    const first: WriteOp = { kind: "check", path: "/ok", version: null };
    const error = await errorOf(client.multi([first, op as WriteOp]));
    expect(error).toMatchObject({ code, opIndex: 1, path: (op as WriteOp).path });
    void client.delete("/a");
    await net.clock.settle();
    expect(connection.take()).toMatchObject([{ writeSeq: 1 }]);
  });

  test("a sequential create may name its directory alone", async () => {
    const { net, client, connection } = await openClient();
    void client.create("/jobs/", "", { mode: "persistentSequential" });
    void client.create("/", "", { mode: "ephemeralSequential" });
    await net.clock.settle();
    expect(connection.takeKind("write").map(({ ops }) => ops[0]?.path)).toEqual(["/jobs/", "/"]);
    for (const [path, code] of [
      ["/jobs//", "BAD_PATH"],
      ["", "BAD_PATH"],
      [`/${"x".repeat(250)}`, "BAD_PATH"],
      ["/quorate/", "RESERVED_PATH"],
      ["/quorate", "RESERVED_PATH"],
    ] as const) {
      const creating = client.create(path, "", { mode: "persistentSequential" });
      expect(await errorOf(creating)).toMatchObject({ code, path });
    }
    expect(await errorOf(client.create("/jobs/"))).toMatchObject({ code: "BAD_PATH" });
  });

  test("a multi takes text, and what it is not told has defaults", async () => {
    const { net, client, connection } = await openClient();
    const bytes = Uint8Array.of(7);
    void client.multi([
      { kind: "create", path: "/a" },
      { kind: "create", path: "/b", data: "é", mode: "ephemeral" },
      { kind: "set", path: "/a", data: bytes },
      { kind: "check", path: "/a" },
      { kind: "delete", path: "/a", version: 3 },
    ]);
    bytes[0] = 8;
    await net.clock.settle();
    expect(connection.takeKind("write").map((message) => message.ops)).toEqual([
      [
        { kind: "create", path: "/a", data: new Uint8Array(0), mode: "persistent" },
        { kind: "create", path: "/b", data: new Uint8Array([0xc3, 0xa9]), mode: "ephemeral" },
        { kind: "set", path: "/a", data: new Uint8Array([7]), version: null },
        { kind: "check", path: "/a", version: null },
        { kind: "delete", path: "/a", version: 3 },
      ],
    ]);
  });

  const failures: readonly (readonly [ErrorCode, MultiOp, string])[] = [
    ["NO_NODE", { kind: "create", path: "/a/b" }, 'create "/a/b": its parent "/a" does not exist'],
    ["NO_NODE", { kind: "set", path: "/a", data: "" }, 'set "/a": it does not exist'],
    ["NODE_EXISTS", { kind: "create", path: "/a" }, 'create "/a": it exists already'],
    ["BAD_VERSION", { kind: "check", path: "/a", version: 7 }, 'check "/a": its version is not 7'],
    ["NOT_EMPTY", { kind: "delete", path: "/a" }, 'delete "/a": it has children'],
    [
      "TREE_FULL",
      { kind: "create", path: "/a" },
      'create "/a": the tree is as large as it may be; deletes make room',
    ],
    ["BAD_ARGUMENTS", { kind: "delete", path: "/" }, 'delete "/": the root is always there'],
    [
      "NO_CHILDREN_FOR_EPHEMERALS",
      { kind: "create", path: "/a/b" },
      'create "/a/b": its parent "/a" is ephemeral',
    ],
    [
      "NO_CHILDREN_FOR_EPHEMERALS",
      { kind: "acquire", path: "/a", data: new Uint8Array(0), wait: true },
      'acquire "/a": it, or the nearest znode above it, is ephemeral',
    ],
    [
      "LOCK_DIRECTORY",
      { kind: "create", path: "/l/a" },
      'create "/l/a": its parent "/l" is a lock, which holds nothing but its contenders',
    ],
    [
      "LOCK_DIRECTORY",
      { kind: "acquire", path: "/a", data: new Uint8Array(0), wait: true },
      'acquire "/a": it has children that are no contenders, or lies below a lock',
    ],
    [
      "NO_NODE",
      { kind: "release", path: "/l", token: fencingToken(5) },
      'release "/l": this session is not in line there',
    ],
    [
      "FENCED",
      { kind: "guard", path: "/l", token: fencingToken(5) },
      'guard "/l": the lock is not held with token 5',
    ],
  ];
  test.each(failures)("%s says what about which znode (%#)", async (code, op, text) => {
    const { net, client, connection } = await openClient();
    const failure = errorOf(client.multi([op]));
    await net.clock.settle();
    connection.send({
      kind: "writeReply",
      writeSeq: writeSeq(1),
      outcome: { ok: false, zxid: zxid(101), code, opIndex: 0 },
    });
    expect(await failure).toMatchObject({ code, message: `${code}: ${text}` });
  });

  test("a multi is bounded in ops and bytes", async () => {
    const { client } = await openClient();
    const check: WriteOp = { kind: "check", path: "/a", version: null };
    expect(await errorOf(client.multi([]))).toMatchObject({ code: "BAD_ARGUMENTS" });
    for (const none of [null, undefined, "delete"] as never[]) {
      const failure = errorOf(client.multi([check, none]));
      expect(await failure).toMatchObject({ code: "BAD_ARGUMENTS", opIndex: 1 });
    }
    const many = Array.from({ length: PROTOCOL_LIMITS.opsMax + 1 }, () => check);
    expect(await errorOf(client.multi(many))).toMatchObject({ code: "TOO_LARGE" });
    const data = new Uint8Array(1_048_576);
    const big = Array.from({ length: 4 }, (): WriteOp => {
      return { kind: "set", path: "/a", data, version: null };
    });
    expect(await errorOf(client.multi(big))).toMatchObject({ code: "TOO_LARGE" });
  });
});

describe("reads", () => {
  test("get: bytes of their own, linearizable unless said otherwise", async () => {
    const { net, client, connection } = await openClient();
    const first = client.get("/a");
    const second = client.get("/a", { consistency: "local" });
    await net.clock.settle();
    const reads = connection.takeKind("read");
    expect(reads.map(({ consistency }) => consistency)).toEqual(["linearizable", "local"]);
    for (const { cxid } of reads) {
      const value = { kind: "get", data: Uint8Array.of(7, 8), stat: STAT } as const;
      const reply = { ok: true, value } as const;
      connection.send({ kind: "readReply", cxid, zxid: zxid(140), reply });
    }
    const { data, stat } = await first;
    expect(data).toEqual(new Uint8Array([7, 8]));
    expect(data.buffer.byteLength).toBe(2);
    expect(stat).toEqual(STAT);
    expect(await second).toEqual({ data, stat });
    expect(client.lastZxid).toBe(140);
  });

  test("exists: null when there is none; a failed read names the path", async () => {
    const { net, client, connection } = await openClient();
    const none = client.exists("/a");
    await net.clock.settle();
    answer(connection, () => ({ kind: "exists", stat: null }));
    expect(await none).toBeNull();
    const failure = errorOf(client.get("/a"));
    await net.clock.settle();
    const { cxid } = only(connection.takeKind("read"));
    const reply = { ok: false, code: "NO_NODE" } as const;
    connection.send({ kind: "readReply", cxid, zxid: zxid(140), reply });
    expect(await failure).toMatchObject({ code: "NO_NODE", path: "/a" });
    expect(await errorOf(client.get("a"))).toMatchObject({ code: "BAD_PATH", path: "a" });
  });

  const badOptions: readonly unknown[] = [
    null,
    "options",
    { consistency: "strong" },
    { timeoutMs: "5" },
    { timeoutMs: -1 },
    { signal: new AbortController() },
    { signal: null },
  ];
  test.each(badOptions)("BAD_ARGUMENTS, and nothing is sent: %j", async (options) => {
    const { net, client, connection } = await openClient();
    const failures = [
      client.get("/a", options as ReadOptions),
      client.election("/e").leader(options as ReadOptions),
      client.sync(options as CallOptions),
    ];
    for (const failure of failures) {
      expect(await errorOf(failure)).toMatchObject({ code: "BAD_ARGUMENTS" });
    }
    await net.clock.settle();
    expect(connection.take()).toEqual([]);
    expect(client.state.kind).toBe("connected");
  });

  test("children: page by page until there is no more", async () => {
    const { net, client, connection } = await openClient();
    const listing = client.children("/a", { timeoutMs: 1_000 });
    const names = ["a", "b", "c", "d", "e"];
    const queries: Query[] = [];
    for (let page = 0; page < 3; page += 1) {
      await net.clock.settle();
      queries.push(
        ...answer(connection, () => {
          const part = names.slice(page * 2, page * 2 + 2);
          return { kind: "children", names: part, more: page < 2, stat: STAT };
        }),
      );
    }
    expect(await listing).toEqual({ names, stat: STAT });
    expect(queries).toEqual(
      [null, "b", "d"].map((after) => ({ kind: "children", path: "/a", after, limit: 1000 })),
    );
  });

  test("children: the timeout is for all pages together", async () => {
    const { net, client, connection } = await openClient();
    const failure = errorOf(client.children("/a", { timeoutMs: 100 }));
    await net.clock.advance(60);
    answer(connection, () => ({ kind: "children", names: ["a"], more: true, stat: STAT }));
    await net.clock.advance(40);
    expect(await failure).toMatchObject({ code: "TIMEOUT" });
  });

  test("sessions and sync", async () => {
    const { net, client, connection } = await openClient();
    const info = (id: number) => ({
      id: sessionId(id),
      timeoutMs: 10_000,
      ephemeralCount: 1,
      address: "1.2.3.4:5",
      clientName: "x",
      attachedTo: 1,
      attachZxid: zxid(1),
    });
    const listing = client.sessions();
    await net.clock.settle();
    answer(connection, () => ({ kind: "sessions", sessions: [info(1), info(2)], more: true }));
    await net.clock.settle();
    const [query] = answer(connection, () => {
      return { kind: "sessions", sessions: [info(3)], more: false };
    });
    expect(query).toMatchObject({ after: 2 });
    expect(await listing).toEqual([info(1), info(2), info(3)]);
    const syncing = client.sync();
    await net.clock.settle();
    answer(connection, () => ({ kind: "sync" }));
    expect(await syncing).toBe(140);
  });
});
