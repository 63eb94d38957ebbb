import { describe, expect, it } from "vitest";
import { DigestSum, Hasher } from "./digest.ts";
import {
  fencingToken,
  sessionId,
  type Stat,
  type WriteOutcome,
  writeSeq,
  zxid,
} from "./protocol/index.ts";
import { rememberedReply } from "./reply-window.ts";
import { hashSession, makeSession, type SessionRecord } from "./session.ts";
import { hashZnode, makeZnode, type ZnodeImage } from "./znode.ts";

const STAT: Stat = {
  czxid: zxid(1),
  mzxid: zxid(2),
  pzxid: zxid(3),
  ctimeMs: 4,
  mtimeMs: 5,
  version: 6,
  cversion: 7,
  aversion: 8,
  ephemeralOwner: 0,
  dataBytes: 3,
  childCount: 9,
};
const ZNODE: ZnodeImage = {
  data: Uint8Array.of(1, 2, 3),
  stat: STAT,
  created: 10,
  contenderFormat: null,
};
const SESSION: SessionRecord = {
  verifier: Uint8Array.of(1),
  timeoutMs: 1000,
  epoch: 1,
  attach: { node: 1, address: "a", principal: "p", clientName: "c" },
  attachZxid: zxid(2),
  lastActZxid: zxid(3),
  lastWriteSeq: writeSeq(4),
  ackedSeq: writeSeq(1),
};

function znodeSum(path: string, image: ZnodeImage): string {
  const hasher = new Hasher();
  const node = makeZnode(path, null, image);
  hashZnode(hasher, node);
  return `${node.sumA} ${node.sumB}`;
}

function sessionSum(id: number, record: SessionRecord): string {
  const hasher = new Hasher();
  const session = makeSession(sessionId(id), record);
  hashSession(hasher, session);
  return `${session.sumA} ${session.sumB}`;
}

function replySum(id: number, seq: number, outcome: WriteOutcome): string {
  const reply = rememberedReply(new Hasher(), sessionId(id), writeSeq(seq), outcome);
  return `${reply.sumA} ${reply.sumB}`;
}

function expectDifferent(sums: readonly string[]): void {
  expect(new Set(sums).size).toBe(sums.length);
  const lanes = sums.map((sum) => sum.split(" "));
  expect(new Set(lanes.map(([a]) => a)).size).toBe(sums.length);
  expect(new Set(lanes.map(([, b]) => b)).size).toBe(sums.length);
}

describe("the digest", () => {
  it("feels every field of a znode, in both lanes", () => {
    const withStat = (stat: Partial<Stat>) => ({ ...ZNODE, stat: { ...STAT, ...stat } });
    expectDifferent([
      znodeSum("/a", ZNODE),
      znodeSum("/b", ZNODE),
      znodeSum("/a", { ...ZNODE, data: Uint8Array.of(1, 2, 4) }),
      znodeSum("/a", { ...ZNODE, data: Uint8Array.of(1, 2, 3, 0) }),
      znodeSum("/a", { ...ZNODE, created: 11 }),
      znodeSum("/a", { ...ZNODE, contenderFormat: "quorate" }),
      znodeSum("/a", withStat({ czxid: zxid(9) })),
      znodeSum("/a", withStat({ czxid: zxid(1 + 2 ** 32) })),
      znodeSum("/a", withStat({ mzxid: zxid(9) })),
      znodeSum("/a", withStat({ pzxid: zxid(9) })),
      znodeSum("/a", withStat({ ctimeMs: 9 })),
      znodeSum("/a", withStat({ mtimeMs: 9 })),
      znodeSum("/a", withStat({ version: 9 })),
      znodeSum("/a", withStat({ cversion: 9 })),
      znodeSum("/a", withStat({ aversion: 9 })),
      znodeSum("/a", withStat({ ephemeralOwner: sessionId(9) })),
    ]);
  });

  it("feels every field of a session, in both lanes", () => {
    const withAttach = (attach: Partial<SessionRecord["attach"]>) => ({
      ...SESSION,
      attach: { ...SESSION.attach, ...attach },
    });
    expectDifferent([
      sessionSum(1, SESSION),
      sessionSum(2, SESSION),
      sessionSum(1, { ...SESSION, verifier: Uint8Array.of(2) }),
      sessionSum(1, { ...SESSION, timeoutMs: 1001 }),
      sessionSum(1, { ...SESSION, epoch: 2 }),
      sessionSum(1, { ...SESSION, attachZxid: zxid(9) }),
      sessionSum(1, { ...SESSION, lastActZxid: zxid(9) }),
      sessionSum(1, { ...SESSION, lastWriteSeq: writeSeq(9) }),
      sessionSum(1, { ...SESSION, ackedSeq: writeSeq(2) }),
      sessionSum(1, withAttach({ node: 2 })),
      sessionSum(1, withAttach({ address: "ap", principal: "" })),
      sessionSum(1, withAttach({ principal: "q" })),
      sessionSum(1, withAttach({ clientName: "d" })),
    ]);
  });

  it("feels every part of a remembered reply, in both lanes", () => {
    const token = fencingToken(1);
    const ok = (...replies: Extract<WriteOutcome, { ok: true }>["replies"]) =>
      ({ ok: true, zxid: zxid(1), replies }) as const;
    const failed = { ok: false, zxid: zxid(1), code: "NO_NODE", opIndex: 0 } as const;
    const contender = { kind: "acquire", contender: "/l/c", token, held: true } as const;
    expectDifferent([
      replySum(1, 1, failed),
      replySum(2, 1, failed),
      replySum(1, 2, failed),
      replySum(1, 1, { ...failed, zxid: zxid(2) }),
      replySum(1, 1, { ...failed, code: "BAD_PATH" }),
      replySum(1, 1, { ...failed, opIndex: 1 }),
      replySum(1, 1, ok()),
      replySum(1, 1, ok({ kind: "delete" })),
      replySum(1, 1, ok({ kind: "guard" })),
      replySum(1, 1, ok({ kind: "release" })),
      replySum(1, 1, ok({ kind: "delete" }, { kind: "delete" })),
      replySum(1, 1, ok({ kind: "set", stat: STAT })),
      replySum(1, 1, ok({ kind: "check", stat: STAT })),
      replySum(1, 1, ok({ kind: "set", stat: { ...STAT, dataBytes: 9 } })),
      replySum(1, 1, ok({ kind: "set", stat: { ...STAT, childCount: 1 } })),
      replySum(1, 1, ok({ kind: "create", path: "/a", stat: STAT })),
      replySum(1, 1, ok({ kind: "create", path: "/b", stat: STAT })),
      replySum(1, 1, ok(contender)),
      replySum(1, 1, ok({ ...contender, held: false })),
      replySum(1, 1, ok({ ...contender, token: fencingToken(2) })),
      replySum(1, 1, ok({ ...contender, contender: "/l/d" })),
    ]);
  });

  it("does not let two errors cancel out by trading places", () => {
    const swapped = (first: ZnodeImage, second: ZnodeImage) => {
      const sum = new DigestSum();
      for (const [path, image] of [["/a", first] as const, ["/b", second] as const]) {
        const [a, b] = znodeSum(path, image).split(" ");
        sum.add(Number(a), Number(b));
      }
      return sum.render(0, 0);
    };
    const other = { ...ZNODE, data: Uint8Array.of(9) };
    expect(swapped(ZNODE, other)).not.toBe(swapped(other, ZNODE));
    expect(swapped(ZNODE, other)).toMatch(/^[0-9a-f]{16}$/);
  });
});
