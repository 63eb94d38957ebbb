import { describe, expect, it } from "vitest";
import {
  acquire,
  bytes,
  create,
  outcomeOf,
  remove,
  set,
  text,
  TreeDriver,
} from "../../../tests/support/kv-store/tree-driver.ts";
import { InvariantError } from "./assert.ts";
import type { Command } from "./command.ts";
import { DataTree } from "./data-tree.ts";
import { TREE_LIMITS } from "./limits.ts";
import {
  fencingToken,
  PROTOCOL_LIMITS,
  sessionId,
  type WriteOp,
  type WriteReply,
  zxid,
} from "./protocol/index.ts";
import { newState } from "./tree-state.ts";

function newTree(limits: ConstructorParameters<typeof TreeDriver>[0] = {}) {
  const driver = new TreeDriver(limits);
  return { driver, session: driver.open() };
}

describe("znodes", () => {
  it("shows the stat of ZooKeeper through a life", () => {
    const { driver, session } = newTree();
    driver.do(session, create("/a", "persistent", bytes("one")));
    const born = driver.zxid;
    expect(driver.read({ kind: "get", path: "/a" })).toEqual({
      kind: "get",
      data: bytes("one"),
      stat: {
        czxid: born,
        mzxid: born,
        pzxid: born,
        ctimeMs: 1_700_000_000_000 + born,
        mtimeMs: 1_700_000_000_000 + born,
        version: 0,
        cversion: 0,
        aversion: 0,
        ephemeralOwner: 0,
        dataBytes: 3,
        childCount: 0,
      },
    });
    driver.do(session, set("/a", "two!"));
    const changed = driver.zxid;
    driver.do(session, create("/a/b"), create("/a/c"), remove("/a/b"));
    const { stat } = driver.read({ kind: "get", path: "/a" });
    expect(stat).toMatchObject({ czxid: born, mzxid: changed, pzxid: driver.zxid, version: 1 });
    expect(stat).toMatchObject({ cversion: 3, childCount: 1, dataBytes: 4 });
    expect(driver.read({ kind: "exists", path: "/" }).stat).toMatchObject({
      czxid: 0,
      cversion: 1,
      childCount: 1,
    });
  });

  it("numbers sequential znodes by all children ever created", () => {
    const { driver, session } = newTree();
    const path = (replies: readonly WriteReply[]) =>
      replies[0]?.kind === "create" ? replies[0].path : "";
    driver.do(session, create("/p"));
    expect(path(driver.do(session, create("/p/s-", "persistentSequential")))).toBe(
      "/p/s-0000000000",
    );
    driver.do(session, create("/p/plain"));
    driver.do(session, remove("/p/plain"));
    expect(path(driver.do(session, create("/p/", "ephemeralSequential")))).toBe("/p/0000000002");
    expect(path(driver.do(session, create("/n", "persistentSequential")))).toBe("/n0000000001");
    expect(driver.codeOf(session, create("/q", "persistentSequential"), remove("/x"))).toBe(
      "NO_NODE",
    );
    // A failed write burns no number.
    expect(path(driver.do(session, create("/n", "persistentSequential")))).toBe("/n0000000002");
  });

  const failures: readonly (readonly [string, readonly WriteOp[], string])[] = [
    ["create below nothing", [create("/x/y")], "NO_NODE"],
    ["create a bad path", [create("/a/..")], "BAD_PATH"],
    ["create without a slash", [create("a")], "BAD_PATH"],
    ["create below nothing with a NUL", [create("/x/\0/y")], "BAD_PATH"],
    ["create a bad path below nothing", [create("/a//b")], "NO_NODE"],
    ["create what is there", [create("/a")], "NODE_EXISTS"],
    ["create the root", [create("/")], "NODE_EXISTS"],
    ["create below an ephemeral", [create("/e/x")], "NO_CHILDREN_FOR_EPHEMERALS"],
    ["create in the reserved part", [create("/quorate/x")], "RESERVED_PATH"],
    ["create the reserved root", [create("/quorate")], "RESERVED_PATH"],
    ["create in a lock directory", [create("/lock/x")], "LOCK_DIRECTORY"],
    ["create too much", [create("/big", "persistent", new Uint8Array(1_048_577))], "TOO_LARGE"],
    ["set what is not there", [set("/x", "")], "NO_NODE"],
    ["set a bad path", [set("/a/", "")], "BAD_PATH"],
    ["set in the reserved part", [set("/quorate", "")], "RESERVED_PATH"],
    ["set another version", [set("/a", "", 7)], "BAD_VERSION"],
    ["set too much", [{ ...set("/a", ""), data: new Uint8Array(1_048_577) }], "TOO_LARGE"],
    ["delete the root", [remove("/")], "BAD_ARGUMENTS"],
    ["delete what is not there", [remove("/x")], "NO_NODE"],
    ["delete a path that is none", [remove("x")], "BAD_PATH"],
    ["delete in the reserved part", [remove("/quorate/x")], "RESERVED_PATH"],
    ["delete another version, first", [remove("/a", 7)], "BAD_VERSION"],
    ["delete a parent", [remove("/a")], "NOT_EMPTY"],
    ["check what is not there", [{ kind: "check", path: "/x", version: null }], "NO_NODE"],
    ["check a bad path", [{ kind: "check", path: "", version: null }], "BAD_PATH"],
    ["check another version", [{ kind: "check", path: "/a", version: 1 }], "BAD_VERSION"],
    ["guard without a lock", [{ kind: "guard", path: "/x", token: fencingToken(1) }], "FENCED"],
    [
      "guard with another token",
      [{ kind: "guard", path: "/lock", token: fencingToken(1) }],
      "FENCED",
    ],
    ["acquire the root", [acquire("/")], "BAD_ARGUMENTS"],
    ["acquire a bad path", [acquire("/a/.")], "BAD_PATH"],
    ["acquire too long a path", [acquire(`/${"x/".repeat(63)}x`)], "BAD_PATH"],
    ["acquire in the reserved part", [acquire("/quorate/l")], "RESERVED_PATH"],
    ["acquire twice at once", [acquire("/new"), acquire("/new")], "BAD_ARGUMENTS"],
    ["acquire below an ephemeral", [acquire("/e/l")], "NO_CHILDREN_FOR_EPHEMERALS"],
    ["acquire at an ephemeral", [acquire("/e")], "NO_CHILDREN_FOR_EPHEMERALS"],
    ["acquire among ordinary znodes", [acquire("/a")], "LOCK_DIRECTORY"],
    ["acquire below a lock", [acquire("/lock/deeper")], "LOCK_DIRECTORY"],
    ["acquire what is held, without waiting", [acquire("/lock", false)], "LOCK_HELD"],
    [
      "release what is not there",
      [{ kind: "release", path: "/x", token: fencingToken(1) }],
      "NO_NODE",
    ],
    ["release a bad path", [{ kind: "release", path: "x", token: fencingToken(1) }], "BAD_PATH"],
    [
      "release no contender",
      [{ kind: "release", path: "/lock", token: fencingToken(1) }],
      "NO_NODE",
    ],
  ];

  it.each(failures)("refuses to %s", (_name, ops, code) => {
    const { driver, session } = newTree();
    driver.do(session, create("/a"), create("/a/b"), create("/e", "ephemeral"), acquire("/lock"));
    const nodeCount = driver.tree.nodeCount;
    const changes = driver.write(session, ...ops, create("/never"));
    expect(outcomeOf(changes)).toMatchObject({ ok: false, code });
    expect(changes.changes).toEqual([]);
    expect(driver.tree.nodeCount).toBe(nodeCount);
    expect(driver.tree.digest()).toBe(driver.tree.recomputeDigest());
  });

  it("refuses sequential names and contenders beyond ten digits", () => {
    const state = newState(TREE_LIMITS);
    const driver = new TreeDriver({}, new DataTree(TREE_LIMITS, state));
    const session = driver.open();
    driver.do(session, create("/p"), create("/l"));
    for (const path of ["/p", "/l"]) state.nodes.get(path)!.created = 2_147_483_647;
    const [last] = driver.do(session, create("/p/s", "persistentSequential"));
    expect(last).toMatchObject({ path: "/p/s2147483647" });
    const [held] = driver.do(session, acquire("/l"));
    expect(held).toMatchObject({ contender: "/l/contender-2147483647" });
    const code = "SEQUENCE_EXHAUSTED";
    expect(driver.codeOf(session, create("/p/s", "ephemeralSequential"))).toBe(code);
    expect(driver.codeOf(session, acquire("/l"))).toBe(code);
    driver.do(session, create("/p/plain"));
  });

  it("names the op that failed and rolls back the ones before it", () => {
    const { driver, session } = newTree();
    driver.do(session, create("/a", "persistent", bytes("old")), create("/b"));
    const before = driver.tree.read({ kind: "get", path: "/a" });
    const bytesBefore = driver.tree.approximateBytes;
    const outcome = outcomeOf(
      driver.write(
        session,
        set("/a", "new and longer"),
        create("/a/x", "ephemeral"),
        remove("/b"),
        create("/b"),
        create("/b"),
      ),
    );
    expect(outcome).toEqual({ ok: false, zxid: driver.zxid, code: "NODE_EXISTS", opIndex: 4 });
    expect(driver.tree.read({ kind: "get", path: "/a" })).toEqual(before);
    expect(driver.read({ kind: "exists", path: "/a/x" }).stat).toBeNull();
    expect(driver.tree.session(session)?.ephemeralCount).toBe(0);
    expect(driver.tree.approximateBytes).toBeLessThanOrEqual(bytesBefore);
    expect(driver.tree.digest()).toBe(driver.tree.recomputeDigest());
  });

  it("lets each op of a write see the earlier ones, at one revision", () => {
    const { driver, session } = newTree();
    const applied = driver.write(
      session,
      create("/a"),
      set("/a", "x", 0),
      { kind: "check", path: "/a", version: 1 },
      remove("/a", 1),
      create("/a", "ephemeral"),
    );
    expect(outcomeOf(applied).ok).toBe(true);
    expect(applied.changes.map((change) => [change.kind, change.path, change.zxid])).toEqual([
      ["created", "/a", driver.zxid],
      ["dataChanged", "/a", driver.zxid],
      ["deleted", "/a", driver.zxid],
      ["created", "/a", driver.zxid],
    ]);
    expect(driver.read({ kind: "get", path: "/a" }).stat).toMatchObject({
      version: 0,
      ephemeralOwner: session,
    });
  });

  it("tells what was before a change, with shared bytes", () => {
    const { driver, session } = newTree();
    driver.do(session, create("/a", "persistent", bytes("one")));
    const [changed] = driver.write(session, set("/a", "two")).changes;
    expect(changed?.before?.data).toEqual(bytes("one"));
    expect(changed?.data).toEqual(bytes("two"));
    expect(changed?.author).toBe(session);
    const [deleted] = driver.write(session, remove("/a")).changes;
    expect(deleted?.before?.data).toBe(deleted?.data);
    expect(deleted?.data).toEqual(bytes("two"));
  });

  it("copies data out of the command", () => {
    const { driver, session } = newTree();
    for (const length of [10, 100, 5000]) {
      const frame = new Uint8Array(length).fill(1);
      driver.do(session, create(`/n${length}`, "persistent", frame));
      frame.fill(2);
      const { data } = driver.read({ kind: "get", path: `/n${length}` });
      expect(data).toEqual(new Uint8Array(length).fill(1));
      expect(data.buffer.byteLength).toBeLessThanOrEqual(Math.max(length, 4096));
    }
  });

  it("refuses growth beyond its bytes, and nothing else", () => {
    const { driver, session } = newTree({ bytesMax: 20_000 });
    const filler = new Uint8Array(2000);
    let made = 0;
    while (driver.codeOf(session, create(`/f${made}`, "persistent", filler)) === null) made += 1;
    expect(made).toBeGreaterThan(3);
    expect(driver.codeOf(session, create("/one-more", "persistent", filler))).toBe("TREE_FULL");
    expect(driver.codeOf(session, set("/f0", "x".repeat(9000)))).toBe("TREE_FULL");
    expect(driver.codeOf(session, { ...acquire("/l"), data: filler })).toBe("TREE_FULL");
    expect(driver.codeOf(session, set("/f0", "x"))).toBeNull();
    expect(driver.codeOf(session, remove("/f1"))).toBeNull();
    expect(driver.codeOf(session, create("/f1", "persistent", filler))).toBeNull();
  });

  it("refuses one ephemeral too many", () => {
    const { driver, session } = newTree({ sessionEphemeralsMax: 2 });
    driver.do(session, create("/a", "ephemeral"), acquire("/l"));
    expect(driver.codeOf(session, create("/b", "ephemeral"))).toBe("TOO_LARGE");
    expect(driver.codeOf(session, acquire("/l2"))).toBe("TOO_LARGE");
    driver.do(session, remove("/a"), create("/b", "ephemeral"));
  });

  it("refuses too many ops as a whole", () => {
    const { driver, session } = newTree();
    const ops = Array.from({ length: PROTOCOL_LIMITS.opsMax + 1 }, (_, i) => create(`/n${i}`));
    expect(outcomeOf(driver.write(session, ...ops))).toMatchObject({
      code: "TOO_LARGE",
      opIndex: -1,
    });
  });
});

describe("queries", () => {
  it("pages children in the order of code units", () => {
    const { driver, session } = newTree();
    const names = Array.from({ length: 1300 }, (_, i) => `c${(i * 7919) % 1300}`);
    driver.do(session, create("/p"));
    for (const name of names) driver.do(session, create(`/p/${name}`));
    const found: string[] = [];
    let after: string | null = null;
    for (;;) {
      const page: { names: readonly string[]; more: boolean } = driver.read({
        kind: "children",
        path: "/p",
        after,
        limit: 100,
      });
      expect(page.names.length).toBeLessThanOrEqual(100);
      found.push(...page.names);
      if (!page.more) break;
      after = page.names.at(-1) ?? null;
    }
    expect(found).toEqual([...names].sort());
    const page = driver.read({ kind: "children", path: "/p", after: "c129", limit: 2 });
    expect(page.names).toEqual(["c1290", "c1291"]);
  });

  it("answers for what is not there", () => {
    const { driver } = newTree();
    const token = fencingToken(1);
    expect(driver.tree.read({ kind: "get", path: "/x" })).toEqual({ ok: false, code: "NO_NODE" });
    expect(driver.tree.read({ kind: "get", path: "x" })).toEqual({ ok: false, code: "BAD_PATH" });
    expect(driver.tree.read({ kind: "get", path: "/quorate" })).toMatchObject({ code: "NO_NODE" });
    expect(driver.tree.read({ kind: "exists", path: "/x/" })).toMatchObject({ code: "BAD_PATH" });
    expect(driver.tree.read({ kind: "holder", path: "//" })).toMatchObject({ code: "BAD_PATH" });
    expect(driver.read({ kind: "exists", path: "/x" }).stat).toBeNull();
    expect(driver.read({ kind: "holder", path: "/x" })).toMatchObject({ holder: null, waiting: 0 });
    expect(driver.read({ kind: "contender", path: "/x", token }).state).toBe("gone");
    expect(driver.read({ kind: "sync" })).toEqual({ kind: "sync" });
  });

  it("pages sessions", () => {
    const driver = new TreeDriver();
    const ids = Array.from({ length: 5 }, () => driver.open());
    const page = driver.read({ kind: "sessions", after: ids[1] ?? 0, limit: 2 });
    expect(page.sessions.map((session) => session.id)).toEqual([ids[2], ids[3]]);
    expect(page.more).toBe(true);
    expect(page.sessions[0]).toMatchObject({ address: "10.0.0.1:5000", clientName: "test" });
    expect(Array.from(driver.tree.sessions(), (session) => session.id)).toEqual(ids);
  });
});

describe("entries", () => {
  it("stops when a revision does not rise", () => {
    const { driver } = newTree();
    const stamp = { timeMs: 1, clockMs: 1 };
    const close: Command = { kind: "closeSession", session: sessionId(1) };
    expect(() => driver.tree.apply(driver.zxid, 1, stamp, close)).toThrow(InvariantError);
    driver.tree.skipTo(zxid(50));
    expect(driver.tree.lastZxid).toBe(50);
    expect(() => driver.tree.skipTo(zxid(50))).toThrow(InvariantError);
  });

  it("keeps a clock that neither goes back nor jumps", () => {
    const { driver } = newTree();
    const at = (clockMs: number) => {
      driver.tree.apply(
        zxid(driver.tree.lastZxid + 1),
        1,
        { timeMs: 5, clockMs },
        { kind: "closeSession", session: sessionId(9) },
      );
      return driver.tree.clockMs;
    };
    expect(at(500)).toBe(500);
    expect(at(100)).toBe(500);
    expect(at(10 ** 12)).toBe(60_500);
    expect(at(Number.NaN)).toBe(60_500);
  });

  it("reads data back as it was written", () => {
    const { driver, session } = newTree();
    driver.do(session, create("/a", "persistent", bytes("héllo")));
    expect(text(driver.read({ kind: "get", path: "/a" }).data)).toBe("héllo");
  });
});
