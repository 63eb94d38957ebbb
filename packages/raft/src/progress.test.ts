import { beforeEach, describe, expect, test } from "vitest";
import { logIndex, nodeId } from "./ids.ts";
import { Inflights } from "./inflights.ts";
import { Progress } from "./progress.ts";

let peer: Progress;

beforeEach(() => {
  const inflights = new Inflights(10, 1_000);
  peer = new Progress(nodeId(2), { nextIndex: logIndex(10), tick: 0, inflights });
});

function replicateFrom(match: number): void {
  peer.sent(0, 0, 0);
  peer.acknowledge(logIndex(match), logIndex(1));
}

describe("probe", () => {
  test("one append at a time, the next one empty and after a heartbeat's reply that comes later", () => {
    expect([peer.mayAppend, peer.isProbeRepeated]).toEqual([true, false]);
    peer.sent(3, 90, 7);
    expect(peer.mayAppend).toBe(false);
    expect(peer.heartbeatAnswered(logIndex(20), 8, 2)).toBe(false);
    expect(peer.mayAppend).toBe(false);
    expect(peer.heartbeatAnswered(logIndex(20), 9, 2)).toBe(true);
    expect([peer.mayAppend, peer.isProbeRepeated]).toEqual([true, true]);
  });

  test("one that looks elsewhere carries entries again", () => {
    peer.sent(3, 90, 7);
    peer.heartbeatAnswered(logIndex(20), 9, 2);
    peer.reject(logIndex(9), logIndex(4));
    expect([peer.mayAppend, peer.isProbeRepeated]).toEqual([true, false]);
  });

  test("an acknowledgement opens the pipeline behind what is matched", () => {
    replicateFrom(7);
    expect([peer.state, peer.matchIndex, peer.nextIndex]).toEqual(["replicate", 7, 8]);
  });

  test.each([
    [9, 4, true, 5],
    [9, 9, true, 9],
    [9, 0, true, 1],
    [8, 4, false, 10],
    [10, 4, false, 10],
  ])("refused behind %i, agreeing at %i: moves %s, next %i", (rejected, agree, moves, next) => {
    peer.sent(0, 0, 0);
    expect(peer.reject(logIndex(rejected), logIndex(agree))).toBe(moves);
    expect(peer.nextIndex).toBe(next);
    expect(peer.mayAppend).toBe(moves);
  });
});

describe("replicate", () => {
  beforeEach(() => replicateFrom(9));

  test("what is sent is assumed to arrive", () => {
    peer.sent(3, 90, 0);
    expect([peer.nextIndex, peer.inflights.entries, peer.inflights.bytes]).toEqual([13, 3, 90]);
    peer.acknowledge(logIndex(12), logIndex(1));
    expect([peer.matchIndex, peer.inflights.entries]).toEqual([12, 0]);
  });

  test("a refusal goes back to what is matched; a stale one changes nothing", () => {
    peer.sent(3, 90, 0);
    expect(peer.reject(logIndex(9), logIndex(3))).toBe(false);
    expect(peer.state).toBe("replicate");
    expect(peer.reject(logIndex(12), logIndex(3))).toBe(true);
    expect([peer.state, peer.nextIndex, peer.inflights.entries]).toEqual(["probe", 10, 0]);
  });

  test("old acknowledgements change nothing", () => {
    expect(peer.acknowledge(logIndex(4), logIndex(1))).toBe(false);
    expect([peer.matchIndex, peer.nextIndex]).toEqual([9, 10]);
  });

  test("a heartbeat's reply asks again only when nothing moved since the last one", () => {
    peer.sent(3, 90, 0);
    expect(peer.heartbeatAnswered(logIndex(12), 2, 2)).toBe(false);
    expect(peer.heartbeatAnswered(logIndex(12), 4, 2)).toBe(true);
    peer.acknowledge(logIndex(12), logIndex(1));
    expect(peer.heartbeatAnswered(logIndex(12), 6, 2)).toBe(false);
  });

  test("of many replies one in a while counts", () => {
    peer.sent(3, 90, 0);
    expect(peer.heartbeatAnswered(logIndex(12), 2, 2)).toBe(false);
    expect(peer.heartbeatAnswered(logIndex(12), 3, 2)).toBe(false);
    expect(peer.heartbeatAnswered(logIndex(12), 4, 2)).toBe(true);
    expect(peer.heartbeatAnswered(logIndex(12), 4, 2)).toBe(false);
  });

  test("what is being read for it and came otherwise is not waited for", () => {
    peer.beginFetch(5);
    peer.acknowledge(logIndex(9), logIndex(1));
    expect(peer.isFetching).toBe(true);
    peer.acknowledge(logIndex(11), logIndex(1));
    expect([peer.isFetching, peer.nextIndex]).toEqual([false, 12]);
  });

  test("a fetch holds appends back until it ends or is lost", () => {
    peer.beginFetch(5);
    expect([peer.mayAppend, peer.isFetching]).toEqual([false, true]);
    expect(peer.expireFetch(4)).toBe(false);
    expect(peer.expireFetch(5)).toBe(true);
    expect(peer.mayAppend).toBe(true);
  });
});

describe("snapshot", () => {
  beforeEach(() => {
    replicateFrom(3);
    peer.becomeSnapshot(logIndex(8));
  });

  test("nothing is appended meanwhile, and refusals count for nothing", () => {
    expect(peer.mayAppend).toBe(false);
    expect(peer.heartbeatAnswered(logIndex(12), 9, 2)).toBe(false);
    expect(peer.reject(logIndex(9), logIndex(1))).toBe(false);
  });

  test.each([
    [true, 9],
    [false, 4],
  ])(
    "once the transfer ended (complete: %s), it probes from %i after a sign of life",
    (ok, next) => {
      peer.endSnapshot(ok, 5);
      expect([peer.state, peer.nextIndex, peer.mayAppend]).toEqual(["probe", next, false]);
      peer.heartbeatAnswered(logIndex(12), 6, 2);
      expect(peer.mayAppend).toBe(false);
      peer.heartbeatAnswered(logIndex(12), 7, 2);
      expect(peer.mayAppend).toBe(true);
    },
  );

  test.each([
    [8, 99, "replicate"],
    [5, 99, "snapshot"],
    [5, 6, "replicate"],
    [3, 1, "snapshot"],
  ])("acknowledged %i with appends possible from %i: %s", (match, reachable, state) => {
    peer.acknowledge(logIndex(match), logIndex(reachable));
    expect(peer.state).toBe(state);
  });

  test.each([true, false])(
    "another one promises nothing where the last one ended (complete: %s) and nothing new was acknowledged",
    (ok) => {
      expect(peer.isSnapshotPromising).toBe(true);
      peer.endSnapshot(ok, 5);
      expect(peer.isSnapshotPromising).toBe(false);
      peer.acknowledge(logIndex(3), logIndex(1));
      peer.becomeSnapshot(logIndex(9));
      expect(peer.isSnapshotPromising).toBe(false);
      peer.acknowledge(logIndex(8), logIndex(99));
      expect([peer.state, peer.isSnapshotPromising]).toEqual(["snapshot", true]);
    },
  );
});
