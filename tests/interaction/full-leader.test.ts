import { nodeId, type NodeId } from "@quorate/raft";
import { expect, test } from "vitest";
import { Leadership } from "../../packages/server/src/leadership.ts";
import { SERVER_LIMITS } from "../../packages/server/src/limits.ts";
import { ManualClock } from "../../packages/server/src/memory/manual-clock.ts";
import { LoneCore } from "./lone-core.ts";

const TICKS = 600;

test("a leader with a full disk takes writes while the only voter with room lags", () => {
  const node = new LoneCore();
  node.lead();
  node.acknowledge(2, 1);
  const leadership = new Leadership(
    {
      clock: new ManualClock(),
      status: () => node.core.status(),
      step: (input) => node.step(input),
      priorityOf: () => 100,
      ownPriority: 100,
      hasRoom: (id: NodeId) => id === nodeId(3),
    },
    SERVER_LIMITS.preference,
  );
  let taken = 0;
  for (let tick = 0; tick < TICKS; tick += 1) {
    for (const from of [2, 3]) {
      node.receive("heartbeatReply", { from, term: node.term }, { round: 1, promiseMs: 0 });
    }
    leadership.keep();
    node.tick();
    if (!node.step({ kind: "propose", commands: [new Uint8Array(1)] }).ok) continue;
    taken += 1;
    node.persistAll();
    node.acknowledge(2, node.core.status().lastIndex);
  }
  expect(node.role).toBe("leader");
  // Before the first look nobody knows who lags: one hand-over may be tried.
  expect(taken).toBeGreaterThan(TICKS * 0.9);
});
