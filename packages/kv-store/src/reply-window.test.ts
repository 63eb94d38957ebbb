import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import {
  acquire,
  create,
  outcomeOf,
  remove,
  set,
  TreeDriver,
} from "../../../tests/support/kv-store/tree-driver.ts";
import { DigestSum, Hasher } from "./digest.ts";
import {
  fencingToken,
  PROTOCOL_LIMITS,
  sessionId,
  type WriteOp,
  type WriteOutcome,
  writeSeq,
  zxid,
} from "./protocol/index.ts";
import { rememberedReply, replyBytesMax, ReplyWindow } from "./reply-window.ts";

const SESSION = sessionId(1);

function push(window: ReplyWindow, seq: number): WeakRef<WriteOutcome> {
  const outcome: WriteOutcome = { ok: true, zxid: zxid(seq), replies: [] };
  window.push(rememberedReply(new Hasher(), SESSION, writeSeq(seq), outcome));
  return new WeakRef(outcome);
}

it("keeps nothing alive that it forgot, though newer replies stay", async () => {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect !== "function") throw new Error("no collection on demand");
  const window = new ReplyWindow();
  const forgotten = [1, 2, 3].map((seq) => push(window, seq));
  const kept = push(window, 4);
  window.forget(writeSeq(3), new DigestSum());
  expect(window.count).toBe(1);
  expect(window.toArray().map((reply) => reply.writeSeq)).toEqual([4]);
  // What a WeakRef was asked for or made of lives until the turn is over.
  await new Promise((resolve) => void setImmediate(resolve));
  collect();
  expect(forgotten.map((outcome) => outcome.deref())).toEqual([undefined, undefined, undefined]);
  expect(kept.deref()).toBeDefined();
});

/** As long as paths may be, with so many units left. */
function longPath(left: number): string {
  const units = PROTOCOL_LIMITS.pathBytesMax - left;
  return `/${"x".repeat(200)}`.repeat(8).slice(0, units);
}

it("counts no reply with more than was reckoned with before its ops were done", () => {
  const driver = new TreeDriver();
  const session = driver.open();
  const parents: WriteOp[] = [];
  for (let at = 201; at < PROTOCOL_LIMITS.pathBytesMax; at += 201) {
    parents.push(create(`/${"x".repeat(200)}`.repeat(8).slice(0, at)));
  }
  driver.do(session, ...parents);
  const token = fencingToken(driver.zxid + 1);
  const writes: readonly (readonly WriteOp[])[] = [
    [acquire("/l")],
    [{ kind: "guard", path: "/l", token }],
    [{ kind: "release", path: "/l", token }],
    [acquire("/l"), create("/s", "persistentSequential"), create("/a"), set("/a", "1")],
    [create(longPath(0)), remove(longPath(0))],
    [create(longPath(10), "persistentSequential"), acquire(longPath(21))],
    [{ kind: "check", path: "/a", version: null }],
    [create(`${longPath(0)}x`)],
    [remove("/none")],
    [],
  ];
  for (const ops of writes) {
    const outcome = outcomeOf(driver.write(session, ...ops));
    const { bytes } = rememberedReply(new Hasher(), SESSION, writeSeq(1), outcome);
    expect(bytes).toBeLessThanOrEqual(replyBytesMax(ops));
    // Not much less either: what is reckoned with is all that others may not have.
    if (outcome.ok) expect(replyBytesMax(ops) - bytes).toBeLessThan(60 * Math.max(1, ops.length));
    else expect(bytes).toBe(200);
  }
  const [widest] = writes[5] ?? [];
  expect(replyBytesMax(widest === undefined ? [] : [widest])).toBe(400 + 2 * 1024);
});
