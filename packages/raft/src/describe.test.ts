import { expect, test } from "vitest";
import { describeEntries, describeEntry, describeMessage } from "./describe.ts";
import type { Entry } from "./entry.ts";
import { logIndex, nodeId, term } from "./ids.ts";
import type { Message } from "./message.ts";

function command(index: number, data: Uint8Array): Entry {
  return { kind: "command", term: term(2), index: logIndex(index), data };
}

test.each([
  ["plain", new TextEncoder().encode("set a"), '2/7 "set a"'],
  ["bytes", new Uint8Array([0, 255]), "2/7 0x00ff"],
  ["long", new TextEncoder().encode("abcdefghijklmnopqrst"), '2/7 "abcdefghijklmnop"…20B'],
])("a command with %s content", (_what, data, expected) => {
  expect(describeEntry(command(7, data))).toBe(expected);
});

test("long lists are shown as a range", () => {
  const entries = Array.from({ length: 20 }, (_, at) => command(at + 1, new Uint8Array([1])));
  expect(describeEntries(entries)).toBe("[2/1 0x01 … 2/20 0x01; 20 entries]");
});

const envelope = { from: nodeId(1), to: nodeId(2), term: term(3) };
const membership = {
  voters: [nodeId(1)],
  outgoingVoters: [nodeId(2)],
  learners: [nodeId(3)],
  members: [],
};

test.each<[Message, string]>([
  [{ ...envelope, kind: "timeoutNow" }, "1->2 t3 timeoutNow"],
  [
    { ...envelope, kind: "readIndexReply", context: { nonce: 4, counter: 5 }, index: null },
    "1->2 t3 readIndexReply context=4:5 index=null",
  ],
  [
    {
      ...envelope,
      kind: "installSnapshot",
      snapshot: { index: logIndex(9), term: term(2), membership },
    },
    "1->2 t3 installSnapshot 2/9 voters 1 outgoing 2 learners 3",
  ],
])("%#: a message in one line", (message, expected) => {
  expect(describeMessage(message)).toBe(expected);
});
