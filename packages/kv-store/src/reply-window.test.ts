import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";

import { DigestSum, Hasher } from "./digest.ts";
import { sessionId, type WriteOutcome, writeSeq, zxid } from "./protocol/index.ts";
import { rememberedReply, ReplyWindow } from "./reply-window.ts";

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
