import { sessionId, zxid } from "@quorate/kv-store/protocol";
import { describe, expect, test } from "vitest";
import { SessionTracker } from "./session-tracker.ts";

const A = sessionId(1);
const B = sessionId(2);
const STEP_MS = 10;

/** Sweeps in steps until `ms` have passed; returns who was found overdue, and after how long. */
function sweepFor(tracker: SessionTracker, ms: number): Map<number, number> {
  const overdue = new Map<number, number>();
  for (let passed = STEP_MS; passed <= ms; passed += STEP_MS) {
    for (const { sessions } of tracker.sweep(STEP_MS, zxid(5))) {
      for (const session of sessions) overdue.set(session, passed);
    }
  }
  return overdue;
}

function started(...sessions: readonly { id: typeof A; timeoutMs: number }[]): SessionTracker {
  const tracker = new SessionTracker(() => 0);
  tracker.start(sessions);
  return tracker;
}

describe("the session tracker", () => {
  test("names a silent session after its timeout, never before, and only once", () => {
    const tracker = started({ id: A, timeoutMs: 1000 });
    const overdue = sweepFor(tracker, 5000);
    expect(overdue.get(A)).toBeGreaterThanOrEqual(1000);
    expect(overdue.get(A)).toBeLessThanOrEqual(1210);
    expect(sweepFor(tracker, 5000).size).toBe(0);
  });

  test("gives a touch that comes just before a step its whole timeout", () => {
    const tracker = started({ id: A, timeoutMs: 1000 });
    sweepFor(tracker, 990);
    // Up to a step has passed since the tracker's clock moved.
    tracker.touch(A);
    expect(sweepFor(tracker, 1000 + STEP_MS).size).toBe(0);
    expect(sweepFor(tracker, 300).size).toBe(1);
  });

  test("lets nobody age while time stands still", () => {
    const tracker = started({ id: A, timeoutMs: 1000 });
    sweepFor(tracker, 900);
    for (let turn = 0; turn < 1000; turn += 1) expect(tracker.sweep(0, zxid(1))).toEqual([]);
    expect(sweepFor(tracker, 90).size).toBe(0);
  });

  test("carries the basis of the sweep in its proposals", () => {
    const tracker = started({ id: A, timeoutMs: 1000 });
    expect(tracker.sweep(2000, zxid(42))).toEqual([{ sessions: [A], basis: 42 }]);
  });

  test("keeps who is touched, however long", () => {
    const tracker = started({ id: A, timeoutMs: 1000 }, { id: B, timeoutMs: 1000 });
    for (let round = 0; round < 50; round += 1) {
      expect(tracker.touch(A)).toBe(true);
      expect(sweepFor(tracker, 900).has(A)).toBe(false);
    }
    expect(tracker.touch(B)).toBe(false);
  });

  test("counts the timeout from the last touch, whenever that was", () => {
    for (let at = 0; at < 1000; at += 30) {
      const tracker = started({ id: A, timeoutMs: 1000 });
      sweepFor(tracker, at);
      tracker.touch(A);
      const after = sweepFor(tracker, 3000).get(A);
      expect(after, `touched after ${at}`).toBeGreaterThanOrEqual(1000);
      expect(after, `touched after ${at}`).toBeLessThanOrEqual(1210);
    }
  });

  test("refuses touches of sessions that it does not know or that are on their way out", () => {
    const tracker = started({ id: A, timeoutMs: 1000 });
    expect(tracker.touch(B)).toBe(false);
    sweepFor(tracker, 2000);
    expect(tracker.touch(A)).toBe(false);
    tracker.revive(A);
    expect(tracker.touch(A)).toBe(true);
  });

  test("gives a revived session its whole timeout again", () => {
    const tracker = started({ id: A, timeoutMs: 1000 });
    sweepFor(tracker, 2000);
    tracker.revive(A);
    const again = sweepFor(tracker, 2000).get(A);
    expect(again).toBeGreaterThanOrEqual(1000);
    expect(again).toBeLessThanOrEqual(1210);
  });

  test("goes by the longest timeout it was told of while the node leads", () => {
    const tracker = started({ id: A, timeoutMs: 1000 }, { id: B, timeoutMs: 60_000 });
    tracker.open(A, 3000);
    tracker.open(B, 1000);
    const overdue = sweepFor(tracker, 59_990);
    expect(overdue.get(A)).toBeGreaterThanOrEqual(3000);
    expect(overdue.get(A)).toBeLessThanOrEqual(3210);
    expect(overdue.has(B)).toBe(false);
    expect(sweepFor(tracker, 220).has(B)).toBe(true);
  });

  test("forgets who was closed", () => {
    const tracker = started({ id: A, timeoutMs: 1000 });
    tracker.close(A);
    expect(tracker.count).toBe(0);
    expect(sweepFor(tracker, 3000).size).toBe(0);
  });

  test("knows nobody and names nobody while the node does not lead", () => {
    const tracker = started({ id: A, timeoutMs: 1000 });
    tracker.stop();
    expect(tracker.isActive).toBe(false);
    expect(tracker.touch(A)).toBe(false);
    tracker.open(A, 1000);
    expect(tracker.sweep(5000, zxid(1))).toEqual([]);
  });

  test("grants everybody the full timeout when it starts again", () => {
    const tracker = started({ id: A, timeoutMs: 1000 });
    sweepFor(tracker, 990);
    tracker.start([{ id: A, timeoutMs: 1000 }]);
    expect(sweepFor(tracker, 990).size).toBe(0);
    expect(sweepFor(tracker, 300).size).toBe(1);
  });

  test("splits ten thousand that end together into bounded proposals, each session once", () => {
    const all = Array.from({ length: 10_000 }, (_, at) => ({
      id: sessionId(at + 1),
      timeoutMs: 1000,
    }));
    const tracker = started(...all);
    const proposals = tracker.sweep(2000, zxid(1));
    expect(Math.max(...proposals.map(({ sessions }) => sessions.length))).toBeLessThanOrEqual(500);
    const named = proposals.flatMap(({ sessions }) => sessions);
    expect(named).toHaveLength(10_000);
    expect(new Set(named).size).toBe(10_000);
  });
});
