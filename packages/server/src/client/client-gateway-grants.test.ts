import type { WriteOp } from "@quorate/kv-store/protocol";
import { expect, test } from "vitest";
import { EMPTY, Node, remove, watch, write } from "../../../../tests/support/gateway-lab.ts";

const acquire: WriteOp = { kind: "acquire", path: "/lock", data: EMPTY, wait: true };
const FIRST = "/lock/contender-0000000000";
const SECOND = "/lock/contender-0000000001";

test("a grant follows the answer that told its client to wait, and both follow the events", () => {
  const node = new Node();
  const [holder, waiter] = [node.attached(1).client, node.attached(2).client];
  holder.says(write(1, acquire));
  node.turn();
  holder.take();
  waiter.says(watch("/lock"));
  node.turn();
  expect(waiter.kinds()).toEqual(["watchAdded"]);
  waiter.says(write(1, acquire, remove(FIRST)));
  node.turn();
  expect(waiter.take()).toMatchObject([
    { kind: "events" },
    {
      kind: "writeReply",
      outcome: { ok: true, replies: [{ contender: SECOND, held: false }, { kind: "delete" }] },
    },
    { kind: "granted", contender: SECOND },
  ]);
});

test("a grant to another session leaves in the turn of the write that freed the lock", () => {
  const node = new Node();
  const [holder, waiter] = [node.attached(1).client, node.attached(2).client];
  holder.says(write(1, acquire));
  waiter.says(write(1, acquire));
  node.turn();
  holder.take();
  waiter.take();
  holder.says(write(2, remove(FIRST)));
  node.turn();
  expect(holder.kinds()).toEqual(["writeReply"]);
  expect(waiter.take()).toMatchObject([{ kind: "granted", contender: SECOND }]);
});
