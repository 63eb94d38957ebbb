import { nodeId } from "@quorate/raft";
import { describe, expect, test, vi } from "vitest";
import {
  PEER,
  settled,
  setUpTransfer as setUp,
} from "../../../../tests/support/snapshot-transfer.ts";
import { ServerError } from "../errors.ts";
import type { ImageStore } from "../ports.ts";
import { SnapshotSender } from "./snapshot-sender.ts";

describe("a sender", () => {
  test("hears no answers to other transfers or of other peers", async () => {
    const { sender, order, ended, wire } = await setUp();
    wire.alter = () => null;
    sender.start(order);
    await settled();
    sender.onAck(PEER, 99, 1, false);
    sender.onAck(nodeId(9), 100, 1, false);
    expect(ended).toEqual([]);
    sender.onAck(PEER, 100, 1, false);
    expect(ended).toEqual([false]);
  });

  test("pins the log behind it, and once more when it has arrived", async () => {
    const { sender, order, meta, wire } = await setUp();
    expect(sender.takePinnedIndex()).toBeNull();
    let seen: number | null = null;
    wire.alter = (chunk) => {
      if (chunk.sequence === 3) seen = sender.takePinnedIndex();
      return chunk;
    };
    sender.start(order);
    expect(sender.takePinnedIndex()).toBe(order.snapshot.index);
    await settled();
    expect(seen).toBe(meta.index);
    expect(sender.takePinnedIndex()).toBe(meta.index);
    expect(sender.takePinnedIndex()).toBeNull();
  });

  test("that comes to nothing pins nothing", async () => {
    const { sender, order } = await setUp();
    sender.start(order);
    sender.onLinkDown(PEER);
    expect(sender.takePinnedIndex()).toBeNull();
  });

  test("ends everything when it stops, and tells of each transfer once", async () => {
    const { sender, order, ended, sent } = await setUp();
    sender.start(order);
    sender.stop();
    await settled();
    sender.onLinkDown(PEER);
    expect(ended).toEqual([false]);
    expect(sent).toEqual([]);
    expect(sender.count).toBe(0);
  });

  test("suspects its image only where the last piece is refused", async () => {
    const { sender, order, wire, sent, suspected } = await setUp();
    wire.alter = () => null;
    const sendAll = async (): Promise<Parameters<typeof sender.onAck>> => {
      sender.start(order);
      await settled();
      for (;;) {
        const newest = sent.at(-1);
        if (newest === undefined) throw new Error("nothing was sent");
        const { transfer, sequence, last } = newest;
        if (last) return [PEER, transfer, sequence, false];
        sender.onAck(PEER, transfer, sequence - 2, true);
        await settled();
      }
    };
    const [peer, transfer, last] = await sendAll();
    // As by a peer without room.
    sender.onAck(peer, transfer, last - 1, false);
    expect(suspected).not.toHaveBeenCalled();
    sender.onAck(...(await sendAll()));
    expect(suspected).toHaveBeenCalledOnce();
  });

  test("of an image that cannot be read gives up", async () => {
    const { clock } = await setUp();
    const ended: boolean[] = [];
    const unreadable = vi.fn();
    const view = {
      next: () => Promise.reject(new Error("EIO")),
      close: () => Promise.reject(new Error("closed")),
    };
    const sender = new SnapshotSender(1, {
      hasSpareRoom: () => true,
      ...{ clock, pieceBytes: 1 },
      image: () => ({ view: () => view }) as unknown as ImageStore,
      send: () => undefined,
      done: (_to, ok) => void ended.push(ok),
      suspected: () => undefined,
      unreadable,
    });
    const { order } = await setUp();
    sender.start(order);
    await settled();
    expect(ended).toEqual([false]);
    expect(unreadable).toHaveBeenCalledOnce();
  });

  test("of an image that gives no view gives up as well", async () => {
    const { clock, order } = await setUp();
    const ended: boolean[] = [];
    const unreadable = vi.fn();
    const damage = new ServerError("IMAGE_CORRUPT", "planned");
    const view = (): never => {
      throw damage;
    };
    const sender = new SnapshotSender(1, {
      hasSpareRoom: () => true,
      ...{ clock, pieceBytes: 1, unreadable },
      image: () => ({ view }) as unknown as ImageStore,
      send: () => undefined,
      done: (_to, ok) => void ended.push(ok),
      suspected: () => undefined,
    });
    sender.start(order);
    expect(ended).toEqual([false]);
    expect(unreadable).toHaveBeenCalledExactlyOnceWith(damage, expect.objectContaining({ view }));
    expect(sender.count).toBe(0);
  });
});

describe("a peer without room", () => {
  test("gets no snapshot, and is thought of again after a while", async () => {
    const { sender, order, ended, sent, known, clock } = await setUp();
    known.hasSpareRoom = false;
    sender.start(order);
    await settled();
    clock.advance(9_999);
    sender.onTick();
    expect(ended).toEqual([]);
    clock.advance(1);
    sender.onTick();
    sender.onTick();
    expect(ended).toEqual([false]);
    expect(sent).toEqual([]);
    known.hasSpareRoom = true;
    sender.start(order);
    await settled();
    expect(ended).toEqual([false, true]);
  });

  test("is thought of again at once where the way to it is a new one", async () => {
    const { sender, order, ended, known } = await setUp();
    known.hasSpareRoom = false;
    sender.start(order);
    sender.onLinkDown(PEER);
    sender.onLinkDown(PEER);
    expect(ended).toEqual([false]);
  });

  test("that refuses two in a row waits for the next, until it has taken one", async () => {
    const { sender, order, ended, disk, clock } = await setUp();
    const run = async (): Promise<void> => {
      sender.start(order);
      await settled();
    };
    disk.hasSpareRoom = false;
    await run();
    expect(ended).toEqual([false]);
    await run();
    expect(ended).toEqual([false]);
    expect(sender.count).toBe(0);
    clock.advance(10_000);
    sender.onTick();
    expect(ended).toEqual([false, false]);
    disk.hasSpareRoom = true;
    await run();
    disk.hasSpareRoom = false;
    await run();
    expect(ended).toEqual([false, false, true, false]);
  });
});
