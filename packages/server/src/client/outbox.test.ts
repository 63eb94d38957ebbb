import {
  PROTOCOL_LIMITS,
  decodeServerFrame,
  zxid,
  type ServerMessage,
  type Stat,
} from "@quorate/kv-store/protocol";
import { describe, expect, test } from "vitest";
import { zeroCounters } from "../observe/metrics.ts";
import type { Connection } from "../ports.ts";
import { Outbox } from "./outbox.ts";

class Wire implements Connection {
  readonly remote = "client:1";
  readonly frames: (readonly ServerMessage[])[] = [];
  /** Nobody reads while this is set. */
  isStuck = false;
  bufferedBytes = 0;

  setHandlers(): void {}
  send(frame: Uint8Array): void {
    this.frames.push(decodeServerFrame(frame));
    if (this.isStuck) this.bufferedBytes += frame.length;
  }
  pause(): void {}
  resume(): void {}
  close(): void {}
  destroy(): void {}
}

const pong = (pingId: number): ServerMessage => ({ kind: "pong", pingId, zxid: zxid(1) });
const ids = (wire: Wire) =>
  wire.frames.map((frame) => frame.map((message) => ("pingId" in message ? message.pingId : 0)));

const stat: Stat = {
  ...{ czxid: zxid(1), mzxid: zxid(1), pzxid: zxid(1), ctimeMs: 1, mtimeMs: 1 },
  ...{ version: 0, cversion: 0, aversion: 0, ephemeralOwner: 0, dataBytes: 0, childCount: 0 },
};

const data = (bytes: number, pingId: number): ServerMessage => ({
  kind: "events",
  zxid: zxid(pingId),
  events: [
    {
      watchIds: [1],
      event: {
        ...{ zxid: zxid(pingId), kind: "dataChanged", path: "/a" },
        data: new Uint8Array(bytes),
        stat,
      },
    },
  ],
});

const MIB = 1_048_576;
const limits = { bufferedBytesMax: 1000, frameMessagesMax: 3, frameBytesMax: 100_000 };

describe("the outbox", () => {
  test("sends what came in a turn in one frame, in order", () => {
    const wire = new Wire();
    const outbox = new Outbox(wire, limits, zeroCounters());
    outbox.push(pong(1), 0);
    outbox.push(pong(2), 0);
    expect(wire.frames).toEqual([]);
    outbox.flush();
    outbox.flush();
    expect(ids(wire)).toEqual([[1, 2]]);
  });

  test("cuts frames by count and by bytes, and loses no order", () => {
    const wire = new Wire();
    const outbox = new Outbox(wire, limits, zeroCounters());
    for (let at = 1; at <= 7; at += 1) outbox.push(pong(at), 0);
    outbox.push(pong(8), 100_000);
    outbox.push(pong(9), 0);
    outbox.flush();
    expect(ids(wire)).toEqual([[1, 2, 3], [4, 5, 6], [7, 8], [9]]);
  });

  test("never makes a frame that the protocol refuses", () => {
    const wire = new Wire();
    const outbox = new Outbox(
      wire,
      { ...limits, frameBytesMax: PROTOCOL_LIMITS.frameBytesMax },
      zeroCounters(),
    );
    const half = PROTOCOL_LIMITS.frameBytesMax / 2 + 100;
    outbox.push(data(half, 1), half);
    outbox.push(data(half, 2), half);
    outbox.flush();
    expect(outbox.overflowed).toBe(false);
    expect(wire.frames).toHaveLength(2);
  });

  test("gives a client up that leaves too much unread, and sends nothing more", () => {
    const wire = new Wire();
    wire.isStuck = true;
    const outbox = new Outbox(wire, limits, zeroCounters());
    outbox.push(data(900, 1), 900);
    outbox.flush();
    expect(outbox.overflowed).toBe(false);
    outbox.push(data(900, 2), 900);
    outbox.flush();
    expect(outbox.overflowed).toBe(true);
    outbox.push(pong(3), 0);
    outbox.flush();
    expect(wire.frames).toHaveLength(2);
  });

  test("gives a client up rather than the node when something cannot be said", () => {
    const wire = new Wire();
    const outbox = new Outbox(wire, limits, zeroCounters());
    outbox.push(data(PROTOCOL_LIMITS.frameBytesMax + 1, 1), 0);
    expect(() => outbox.flush()).not.toThrow();
    expect(outbox.overflowed).toBe(true);
    expect(wire.frames).toEqual([]);
  });

  test("counts the memory of what has not left, without what many are told", () => {
    const wire = new Wire();
    const outbox = new Outbox(wire, { ...limits, bufferedBytesMax: MIB }, zeroCounters());
    outbox.push(data(500_000, 1), 500_000);
    expect(outbox.heapBytes).toBeGreaterThan(100);
    expect(outbox.heapBytes).toBeLessThan(1_000);
    outbox.flush();
    expect(outbox.heapBytes).toBe(0);
  });

  test("knows how much room is left before half of the bound", () => {
    const wire = new Wire();
    wire.isStuck = true;
    const outbox = new Outbox(wire, limits, zeroCounters());
    expect(outbox.spareBytes).toBe(500);
    outbox.push(pong(1), 304);
    expect(outbox.spareBytes).toBe(100);
    outbox.push(data(600, 2), 600);
    outbox.flush();
    expect(outbox.spareBytes).toBe(0);
  });
});
