import { describe, expect, it } from "vitest";
import {
  acquire,
  create,
  outcomeOf,
  remove,
  TreeDriver,
} from "../../../tests/support/kv-store/tree-driver.ts";
import { type FencingToken, fencingToken, sessionId, type WriteReply } from "./protocol/index.ts";

function newTree(limits: ConstructorParameters<typeof TreeDriver>[0] = {}) {
  const driver = new TreeDriver(limits);
  return { driver, session: driver.open() };
}

function token(replies: readonly WriteReply[], index = 0): FencingToken {
  const reply = replies[index];
  if (reply?.kind !== "acquire") throw new Error("no acquire");
  return reply.token;
}

describe("locks", () => {
  it("hands over in order, once, in the commit that frees", () => {
    const driver = new TreeDriver();
    const [a, b, c] = [driver.open(), driver.open(), driver.open()] as const;
    const first = driver.do(a, acquire("/locks/x"));
    expect(first[0]).toMatchObject({ contender: "/locks/x/contender-0000000000", held: true });
    expect(token(first)).toBe(driver.zxid);
    const second = driver.do(b, acquire("/locks/x"));
    expect(second[0]).toMatchObject({ held: false });
    const third = driver.do(c, acquire("/locks/x"));
    const holder = driver.read({ kind: "holder", path: "/locks/x" });
    expect(holder).toMatchObject({ holder: { session: a, token: token(first) }, waiting: 2 });
    const state = (of: FencingToken) =>
      driver.read({ kind: "contender", path: "/locks/x", token: of }).state;
    expect([first, second, third].map((replies) => state(token(replies)))).toEqual([
      "held",
      "waiting",
      "waiting",
    ]);
    driver.do(a, { kind: "guard", path: "/locks/x", token: token(first) });
    const left = driver.write(b, { kind: "release", path: "/locks/x", token: token(second) });
    expect(left.grants).toEqual([]);
    const freed = driver.write(a, { kind: "release", path: "/locks/x", token: token(first) });
    expect(freed.grants).toEqual([
      {
        session: c,
        path: "/locks/x",
        contender: "/locks/x/contender-0000000002",
        token: token(third),
      },
    ]);
    expect(driver.codeOf(a, { kind: "guard", path: "/locks/x", token: token(first) })).toBe(
      "FENCED",
    );
    expect(state(token(first))).toBe("gone");
  });

  it("passes on when the holder's session ends, or anybody deletes its contender", () => {
    const driver = new TreeDriver();
    const [a, b, c] = [driver.open(), driver.open(), driver.open()] as const;
    driver.do(a, acquire("/l"));
    const waiting = driver.do(b, acquire("/l"));
    const last = driver.do(c, acquire("/l"));
    expect(driver.close(a).grants).toMatchObject([{ session: b, token: token(waiting) }]);
    const deleted = driver.write(c, remove("/l/contender-0000000001"));
    expect(deleted.grants).toMatchObject([{ session: c, token: token(last) }]);
    expect(driver.close(c).grants).toEqual([]);
    expect(driver.read({ kind: "holder", path: "/l" })).toMatchObject({ holder: null });
  });

  it("lets no session release another's contender", () => {
    const driver = new TreeDriver();
    const [a, b] = [driver.open(), driver.open()] as const;
    const held = token(driver.do(a, acquire("/l")));
    expect(driver.codeOf(b, { kind: "release", path: "/l", token: held })).toBe("NO_NODE");
  });

  it("tells the new holder once when it lined up in the freeing write itself", () => {
    const driver = new TreeDriver();
    const [a, b] = [driver.open(), driver.open()] as const;
    const held = token(driver.do(a, acquire("/l")));
    const exchanged = driver.write(
      a,
      { kind: "release", path: "/l", token: held },
      acquire("/l", false),
    );
    expect(outcomeOf(exchanged)).toMatchObject({ replies: [{}, { held: true }] });
    expect(exchanged.grants).toEqual([]);
    const cut = driver.write(b, acquire("/l"), remove("/l/contender-0000000001"));
    expect(outcomeOf(cut)).toMatchObject({ replies: [{ held: false }, {}] });
    expect(cut.grants).toMatchObject([{ session: b, contender: "/l/contender-0000000002" }]);
  });

  it("keeps a line of several contenders of one session", () => {
    const { driver, session } = newTree();
    const first = token(driver.do(session, acquire("/l")));
    const second = token(driver.do(session, acquire("/l")));
    const freed = driver.write(session, { kind: "release", path: "/l", token: first });
    expect(freed.grants).toMatchObject([{ session, token: second }]);
  });

  it("finds every contender of a long line", () => {
    const driver = new TreeDriver({});
    const sessions = Array.from({ length: 3 }, () => driver.open());
    const tokens = Array.from({ length: 1500 }, (_, i) =>
      token(driver.do(sessions[i % 3] ?? sessionId(1), acquire("/l"))),
    );
    for (const [i, of] of tokens.entries()) {
      const { state } = driver.read({ kind: "contender", path: "/l", token: of });
      expect(state).toBe(i === 0 ? "held" : "waiting");
    }
    const none = fencingToken((tokens[0] ?? 0) - 1);
    expect(driver.read({ kind: "contender", path: "/l", token: none }).state).toBe("gone");
  });

  it("forgets a lock directory that is deleted", () => {
    const { driver, session } = newTree();
    const held = token(driver.do(session, acquire("/l")));
    expect(driver.codeOf(session, remove("/l"))).toBe("NOT_EMPTY");
    driver.do(session, { kind: "release", path: "/l", token: held });
    expect(driver.codeOf(session, create("/l/x"))).toBe("LOCK_DIRECTORY");
    driver.do(session, remove("/l"), create("/l"), create("/l/x"));
  });

  it("makes as many parents on the way to the locks of one write as a write may have ops", () => {
    const { driver, session } = newTree({ sessionEphemeralsMax: 100_000 });
    const lockBelow = (top: string, parents: number) =>
      acquire(`/${[top, ...Array.from({ length: parents }, () => "x")].join("/")}`);
    const full = Array.from({ length: 16 }, (_, i) => lockBelow(`full${i}`, 61));
    const most = [...full, lockBelow("rest", 48)];
    const nodes = driver.tree.nodeCount;
    const refused = outcomeOf(driver.write(session, ...most, lockBelow("more", 1)));
    expect(refused).toMatchObject({ ok: false, code: "TOO_LARGE", opIndex: most.length });
    expect(driver.tree.nodeCount).toBe(nodes);
    expect(driver.do(session, ...most, acquire("/beside"))).toHaveLength(most.length + 1);
    expect(driver.do(session, lockBelow("more", 61))).toHaveLength(1);
  });

  it("lets one write take as many new locks at one place as it may have ops", () => {
    const { driver, session } = newTree();
    driver.do(session, create("/locks"));
    const ops = Array.from({ length: 1024 }, (_, i) => acquire(`/locks/${i}`));
    expect(driver.do(session, ...ops)).toHaveLength(ops.length);
  });
});
