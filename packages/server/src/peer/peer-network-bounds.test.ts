import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PeerLab, append, chunk, heartbeat } from "../../../../tests/support/peer/peer-lab.ts";
import type { PeerLimits } from "../limits.ts";

let lab: PeerLab;

beforeEach(() => {
  lab = new PeerLab();
});

afterEach(() => lab.close());

describe("bounds", () => {
  const limits: Partial<PeerLimits> = {
    frameBytesMax: 60_000,
    queueBytesMax: 100_000,
    queueCountMax: 50,
    reserveBytes: 5_000,
    reserveCount: 10,
    bulkBufferedBytesMax: 20_000,
  };

  test("entries are refused when the queue is full, heartbeats still pass, up to a bound", async () => {
    const [one, two] = await lab.startPair({ limits });
    let taken = 0;
    while (one.network.send(two.id, append(1, 2, 20_000))) taken += 1;
    expect(taken).toBe(4);
    expect(one.network.bufferedBytes(two.id)).toBeLessThanOrEqual(100_000);
    let control = 0;
    while (one.network.send(two.id, heartbeat(1, 2)) && control < 1_000) control += 1;
    expect(control).toBeGreaterThan(10);
    expect(control).toBeLessThan(200);
    expect(one.counters.peerDrops).toBe(2);
    one.network.flush();
    await lab.wire.settle();
    expect(two.received).toHaveLength(taken + control);
    expect(one.network.bufferedBytes(two.id)).toBe(0);
  });

  test("the count is bounded, too", async () => {
    const [one, two] = await lab.startPair({ limits });
    let taken = 0;
    while (taken < 1_000 && one.network.send(two.id, heartbeat(1, 2))) taken += 1;
    expect(taken).toBe(60);
    expect(one.network.send(two.id, append(1, 2, 1))).toBe(false);
  });

  test("what the network has not taken counts", async () => {
    const [one, two] = await lab.startPair({ limits });
    lab.wire.last(2).isStuck = true;
    for (let turn = 0; turn < 10; turn += 1) {
      one.network.send(two.id, append(1, 2, 20_000));
      one.network.flush();
    }
    expect(one.network.bufferedBytes(two.id)).toBeGreaterThan(80_000);
    expect(one.network.bufferedBytes(two.id)).toBeLessThanOrEqual(100_000);
    expect(one.network.send(two.id, heartbeat(1, 2))).toBe(true);
  });

  test("what is larger than a frame is refused", async () => {
    const [one, two] = await lab.startPair({ limits });
    expect(one.network.send(two.id, append(1, 2, 60_000))).toBe(false);
    expect(one.network.send(two.id, append(1, 2, 59_000))).toBe(true);
  });

  test("snapshot pieces wait for everything else and for the network", async () => {
    const [one, two] = await lab.startPair({ limits });
    for (let sequence = 0; sequence < 4; sequence += 1) {
      expect(one.network.send(two.id, chunk(sequence, 15_000))).toBe(true);
    }
    one.network.send(two.id, heartbeat(1, 2));
    const end = lab.wire.last(2);
    end.isStuck = true;
    one.network.flush();
    // The heartbeat, one piece that fills the network, one more that was let in before it was full.
    expect(end.sent.slice(-3).map((frame) => frame.length > 1_000)).toEqual([false, true, true]);
    expect(one.network.bufferedBytes(two.id)).toBeGreaterThan(60_000);
    end.isStuck = false;
    end.bufferedBytes = 0;
    one.network.flush();
    await lab.wire.settle();
    expect(two.received.map(({ envelope }) => envelope.kind)).toEqual([
      "snapshotChunk",
      "snapshotChunk",
    ]);
    for (let sequence = 0; sequence < 20; sequence += 1)
      one.network.send(two.id, chunk(sequence, 10));
    expect(one.network.send(two.id, chunk(99, 10))).toBe(false);
    expect(one.network.send(two.id, heartbeat(1, 2))).toBe(true);
  });

  test("a large queue leaves as several frames, in order", async () => {
    const [one, two] = await lab.startPair();
    for (let count = 0; count < 5; count += 1)
      one.network.send(two.id, append(1, 2, 400_000 + count));
    one.network.flush();
    await lab.wire.settle();
    expect(one.counters.peerFramesOut).toBe(3);
    const sizes = two.received.map(({ envelope }) =>
      envelope.kind === "raft" && envelope.message.kind === "appendEntries"
        ? envelope.message.entries[0]?.kind === "command" && envelope.message.entries[0].data.length
        : 0,
    );
    expect(sizes).toEqual([400_000, 400_001, 400_002, 400_003, 400_004]);
  });

  test("a link that breaks forgets what waited for it", async () => {
    const [one, two] = await lab.startPair();
    one.network.send(two.id, heartbeat(1, 2, 1));
    lab.wire.last(2).destroy();
    await lab.wire.settle();
    await lab.pass(600);
    one.network.flush();
    await lab.wire.settle();
    expect(two.received).toEqual([]);
  });
});
