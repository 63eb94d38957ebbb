import { describe, expect, it } from "vitest";
import {
  bytes,
  create,
  openCommand,
  outcomeOf,
  remove,
  TreeDriver,
  writeCommand,
} from "../../../tests/support/kv-store/tree-driver.ts";
import type { Command } from "./command.ts";
import { PROTOCOL_LIMITS, sessionId, type WriteOp, zxid } from "./protocol/index.ts";

function newTree(limits: ConstructorParameters<typeof TreeDriver>[0] = {}) {
  const driver = new TreeDriver(limits);
  return { driver, session: driver.open() };
}

describe("sessions", () => {
  it("opens once for one verifier and raises the epoch with every attach", () => {
    const driver = new TreeDriver();
    const verifier = bytes("secret");
    const opened = driver.apply(openCommand(verifier, 5)).result;
    expect(opened).toMatchObject({
      kind: "attached",
      opened: true,
      epoch: 1,
      timeoutMs: PROTOCOL_LIMITS.sessionTimeoutMinMs,
    });
    const again = driver.apply(openCommand(verifier, 20_000)).result;
    expect(again).toMatchObject({ opened: false, epoch: 2, session: 1, timeoutMs: 20_000 });
    const attach = { node: 3, address: "b", principal: "p", clientName: "c" };
    const command: Command = {
      kind: "attach",
      session: sessionId(1),
      verifier,
      timeoutMs: 10 ** 9,
      attach,
    };
    expect(driver.apply(command).result).toMatchObject({
      kind: "attached",
      epoch: 3,
      node: 3,
      timeoutMs: PROTOCOL_LIMITS.sessionTimeoutMaxMs,
    });
    expect(driver.tree.session(sessionId(1))).toMatchObject({ attach, attachZxid: 3, epoch: 3 });
    const wrong = driver.apply({ ...command, verifier: bytes("secreT") }).result;
    expect(wrong).toMatchObject({ kind: "attachRefused", code: "SESSION_EXPIRED" });
    const unknown = driver.apply({ ...command, session: sessionId(99) }).result;
    expect(unknown).toMatchObject({ kind: "attachRefused", code: "SESSION_EXPIRED" });
    expect(driver.tree.digest()).toBe(driver.tree.recomputeDigest());
  });

  it("refuses one session too many", () => {
    const driver = new TreeDriver({ sessionsMax: 1 });
    driver.open();
    const refused = driver.apply(openCommand(bytes("b"))).result;
    expect(refused).toMatchObject({ kind: "attachRefused", code: "TREE_FULL", session: 0 });
  });

  it("lets somebody new come and delete where the tree is full, and counts who came", () => {
    const driver = new TreeDriver({ bytesMax: 20_000, sessionsMax: 9 });
    const filling = driver.open();
    let made = 0;
    while (driver.codeOf(filling, create(`/f${made}`)) === null) made += 1;
    driver.close(filling);
    while (driver.tree.sessionCount < 8) driver.open();
    const newcomer = driver.open();
    expect(driver.tree.approximateBytes).toBeGreaterThan(20_000);
    expect(driver.codeOf(newcomer, create("/more"))).toBe("TREE_FULL");
    for (let at = 0; at < made; at += 1) driver.do(newcomer, remove(`/f${at}`));
    expect(driver.codeOf(newcomer, create("/more"))).toBeNull();
    expect(driver.tree.digest()).toBe(driver.tree.recomputeDigest());
  });

  it("takes everything of a session away with it, deepest first", () => {
    const driver = new TreeDriver();
    const [a, b] = [driver.open(), driver.open()] as const;
    driver.do(a, create("/d"), create("/d/d"));
    driver.do(a, create("/z", "ephemeral"), create("/d/d/x", "ephemeral"));
    driver.do(a, create("/a", "ephemeral"));
    driver.do(b, create("/b", "ephemeral"));
    const closed = driver.close(a);
    expect(closed.result).toEqual({ kind: "closed", sessions: [a], cause: "client" });
    expect(closed.changes.map((change) => change.path)).toEqual(["/d/d/x", "/a", "/z"]);
    expect(closed.changes.every((change) => change.author === a)).toBe(true);
    expect(driver.tree.session(a)).toBeUndefined();
    expect(driver.read({ kind: "exists", path: "/b" }).stat).not.toBeNull();
    expect(driver.read({ kind: "get", path: "/d/d" }).stat.pzxid).toBe(driver.zxid);
    expect(driver.close(a).result).toMatchObject({ sessions: [] });
    expect(driver.write(a, create("/late")).result).toMatchObject({
      kind: "writeRefused",
      code: "SESSION_EXPIRED",
    });
    expect(driver.tree.digest()).toBe(driver.tree.recomputeDigest());
  });

  it("expires only in the leader's own term, and only who did nothing since", () => {
    const driver = new TreeDriver();
    const [a, b, c] = [driver.open(), driver.open(), driver.open()] as const;
    const basis = driver.zxid;
    driver.do(b, create("/alive"));
    driver.do(a, create("/gone"));
    const later = driver.zxid;
    const expire = (term: number, of: number): Command => ({
      kind: "expireSessions",
      term,
      basis: zxid(of),
      sessions: [a, c, c, sessionId(999)],
    });
    expect(driver.apply(expire(2, later)).result).toMatchObject({ sessions: [] });
    expect(driver.apply(expire(1, basis)).result).toEqual({
      kind: "closed",
      sessions: [c],
      cause: "expired",
    });
    const ended = driver.apply(expire(1, later));
    expect(ended.result).toMatchObject({ sessions: [a] });
    expect(ended.changes.every((change) => change.author === 0)).toBe(true);
    expect(driver.tree.sessionCount).toBe(1);
  });

  it("refuses an older connection epoch", () => {
    const { driver, session } = newTree();
    const write = writeCommand(session, 1, 0, [create("/a")]);
    const verifier = new Uint8Array(16);
    new DataView(verifier.buffer).setUint32(0, 1);
    driver.apply(openCommand(verifier));
    expect(driver.tree.session(session)?.epoch).toBe(2);
    expect(driver.apply({ ...write, epoch: 1 }).result).toMatchObject({
      kind: "writeRefused",
      code: "SESSION_MOVED",
    });
    expect(driver.apply({ ...write, epoch: 2 }).result).toMatchObject({ fresh: true });
  });
});

describe("exactly once", () => {
  it("answers a repeat from the window and leaves a gap alone", () => {
    const { driver, session } = newTree();
    const write = writeCommand(session, 1, 0, [create("/s-", "persistentSequential")]);
    const first = driver.apply(write);
    expect(first.result).toMatchObject({ kind: "write", fresh: true });
    const digestBefore = driver.tree.digest();
    const gap = driver.apply(writeCommand(session, 3, 1, [create("/x")]));
    expect(gap.result).toEqual({
      kind: "writeSkipped",
      session,
      writeSeq: 3,
      reason: "gap",
      lastWriteSeq: 1,
    });
    expect(driver.tree.session(session)?.ackedSeq).toBe(0);
    expect(digestBefore).not.toBe(driver.tree.digest()); // the clock
    const again = driver.apply(write);
    expect(again.result).toEqual({ ...first.result, fresh: false });
    expect(again.changes).toEqual([]);
    expect(driver.tree.nodeCount).toBe(2);
    expect(driver.tree.session(session)?.lastActZxid).toBe(driver.zxid);
  });

  it("remembers failures too, until they are acknowledged", () => {
    const { driver, session } = newTree();
    const failing = writeCommand(session, 1, 0, [remove("/x")]);
    expect(outcomeOf(driver.apply(failing))).toMatchObject({ code: "NO_NODE" });
    driver.apply(writeCommand(session, 2, 0, [create("/x")]));
    expect(outcomeOf(driver.apply(failing))).toMatchObject({ ok: false, code: "NO_NODE" });
    driver.apply(writeCommand(session, 3, 1, []));
    expect(driver.apply(failing).result).toMatchObject({
      kind: "writeRefused",
      code: "BAD_ARGUMENTS",
    });
    expect(driver.read({ kind: "exists", path: "/x" }).stat).not.toBeNull();
  });

  it("takes empty writes, as skips do", () => {
    const { driver, session } = newTree();
    expect(outcomeOf(driver.write(session))).toMatchObject({ ok: true, replies: [] });
    expect(driver.tree.session(session)?.lastWriteSeq).toBe(1);
  });

  it("stops at a full window in count, and goes on once something is acknowledged", () => {
    const { driver, session } = newTree();
    const max = PROTOCOL_LIMITS.outstandingMax;
    for (let seq = 1; seq <= max; seq += 1) driver.apply(writeCommand(session, seq, 0, []));
    const full = driver.apply(writeCommand(session, max + 1, 0, []));
    expect(full.result).toMatchObject({ reason: "windowFull", lastWriteSeq: max });
    expect(driver.apply(writeCommand(session, max + 1, 5, [])).result).toMatchObject({
      fresh: true,
    });
    expect(driver.tree.session(session)?.ackedSeq).toBe(5);
  });

  it("stops at a full window in bytes", () => {
    const { driver, session } = newTree();
    const ops: WriteOp[] = Array.from({ length: 1024 }, () => ({
      kind: "check",
      path: "/",
      version: null,
    }));
    let seq = 0;
    let reason = "";
    while (reason === "" && seq < 200) {
      seq += 1;
      const { result } = driver.apply(writeCommand(session, seq, 0, ops));
      if (result.kind === "writeSkipped") reason = result.reason;
    }
    expect(reason).toBe("windowFull");
    expect(driver.apply(writeCommand(session, seq, 2, ops)).result).toMatchObject({ fresh: true });
  });

  it("does not let an acknowledgement run ahead or back", () => {
    const { driver, session } = newTree();
    driver.apply(writeCommand(session, 1, 0, []));
    driver.apply(writeCommand(session, 2, 99, []));
    expect(driver.tree.session(session)?.ackedSeq).toBe(1);
    driver.apply(writeCommand(session, 3, 0, []));
    expect(driver.tree.session(session)?.ackedSeq).toBe(1);
  });
});
