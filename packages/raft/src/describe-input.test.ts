import { expect, test } from "vitest";
import { describeInput } from "./describe-input.ts";
import { logIndex, nodeId, term } from "./ids.ts";
import type { RaftInput } from "./input.ts";

const two = nodeId(2);
const membership = { voters: [nodeId(1), two], outgoingVoters: [], learners: [], members: [] };
const bytes = new Uint8Array(3);

test.each<[RaftInput, string]>([
  [{ kind: "tick" }, "tick"],
  [
    { kind: "message", message: { kind: "timeoutNow", from: two, to: nodeId(1), term: term(3) } },
    "2->1 t3 timeoutNow",
  ],
  [{ kind: "propose", commands: [bytes, bytes] }, "propose 2 commands, 6 bytes"],
  [{ kind: "proposeMembership", membership }, "propose voters 1,2"],
  [{ kind: "readIndex", context: { nonce: 4, counter: 5 } }, "read 4:5"],
  [{ kind: "persisted", ticket: { seq: 7 } }, "write 7 is durable"],
  [
    { kind: "fetched", peer: two, from: logIndex(4), prevTerm: term(0), entries: null },
    "fetched from 4 on for 2: gone",
  ],
  [{ kind: "snapshotSent", to: two, ok: false }, "snapshot to 2 broken off"],
  [
    { kind: "compact", snapshot: { index: logIndex(9), term: term(2), membership } },
    "image at 2/9",
  ],
])("%#: an input in one line", (input, expected) => {
  expect(describeInput(input)).toBe(expected);
});
