import {
  encodeServerFrame,
  zxid,
  type QueryReply,
  type ServerMessage,
  type Stat,
  sessionId,
  fencingToken,
  writeSeq,
} from "@quorate/kv-store/protocol";
import { describe, expect, test } from "vitest";
import { hitBytes, outcomeBytes, replyBytes } from "./message-bytes.ts";

const BIG = Number.MAX_SAFE_INTEGER;
const FIXED_BYTES = 96;
const path = `/${"€".repeat(300)}`;

const stat: Stat = {
  czxid: zxid(BIG),
  mzxid: zxid(BIG),
  pzxid: zxid(BIG),
  ctimeMs: BIG,
  mtimeMs: BIG,
  version: BIG,
  cversion: BIG,
  aversion: BIG,
  ephemeralOwner: sessionId(BIG),
  dataBytes: BIG,
  childCount: BIG,
};

const bytesOf = (message: ServerMessage) => encodeServerFrame([message]).length;
const data = new Uint8Array(5000);

describe("what a message is counted with is never less than what it needs", () => {
  test.each<QueryReply>([
    { kind: "get", data, stat },
    { kind: "exists", stat },
    { kind: "exists", stat: null },
    {
      kind: "children",
      names: Array.from({ length: 500 }, () => "€".repeat(80)),
      more: true,
      stat,
    },
    {
      kind: "holder",
      holder: { contender: path, token: fencingToken(BIG), session: sessionId(BIG), data },
      waiting: BIG,
    },
    { kind: "contender", state: "waiting" },
    {
      kind: "sessions",
      sessions: Array.from({ length: 200 }, () => ({
        id: sessionId(BIG),
        timeoutMs: BIG,
        ephemeralCount: BIG,
        address: "€".repeat(60),
        clientName: "€".repeat(40),
        attachedTo: BIG,
        attachZxid: zxid(BIG),
      })),
      more: true,
    },
    { kind: "sync" },
  ])("for a $kind", (value) => {
    const message: ServerMessage = {
      kind: "readReply",
      cxid: BIG,
      zxid: zxid(BIG),
      reply: { ok: true, value },
    };
    expect(bytesOf(message)).toBeLessThanOrEqual(replyBytes(value) + FIXED_BYTES);
  });

  test("for the outcome of a write", () => {
    const replies = Array.from({ length: 100 }, () => [
      { kind: "create", path, stat } as const,
      { kind: "set", stat } as const,
      { kind: "acquire", contender: path, token: fencingToken(BIG), held: true } as const,
      { kind: "delete" } as const,
    ]).flat();
    for (const outcome of [
      { ok: true, zxid: zxid(BIG), replies } as const,
      { ok: false, zxid: zxid(BIG), code: "NO_CHILDREN_FOR_EPHEMERALS", opIndex: BIG } as const,
    ]) {
      const message: ServerMessage = { kind: "writeReply", writeSeq: writeSeq(BIG), outcome };
      expect(bytesOf(message)).toBeLessThanOrEqual(outcomeBytes(outcome) + FIXED_BYTES);
    }
  });

  test("for events", () => {
    const watchIds = Array.from({ length: 1000 }, () => BIG);
    const bare = { watchIds, event: { zxid: zxid(BIG), kind: "deleted", path } } as const;
    const full = { watchIds, event: { ...bare.event, kind: "created", data, stat } } as const;
    const hits = Array.from({ length: 50 }, () => [bare, full]).flat();
    const bytes = hits.reduce((sum, hit) => sum + hitBytes(hit), FIXED_BYTES);
    expect(bytesOf({ kind: "events", zxid: zxid(BIG), events: hits })).toBeLessThanOrEqual(bytes);
  });
});
