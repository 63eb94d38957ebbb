import { TREE_LIMITS } from "@quorate/kv-store";
import { term } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import {
  Clock,
  LEADER,
  metaAt,
  PEER,
  settled,
  setUpTransfer as setUp,
  type Chunk,
} from "../../../../tests/support/snapshot-transfer.ts";
import { loadImage } from "./image-loader.ts";

describe("a snapshot", () => {
  test("arrives whole, durable and verified, as what it stands for", async () => {
    const { sender, order, ended, received, tree, meta, inFlight, sent, fatal } = await setUp();
    sender.start(order);
    await settled();
    expect(ended).toEqual([true]);
    expect(fatal).not.toHaveBeenCalled();
    expect(received).toHaveLength(1);
    const [snapshot] = received;
    expect(snapshot!.meta).toEqual(meta);
    expect(snapshot!.message).toEqual({ ...order, snapshot: meta });
    expect(snapshot!.tree.digest()).toBe(tree.digest());
    const loaded = await loadImage(snapshot!.image, TREE_LIMITS, new Clock());
    expect(loaded.tree.digest()).toBe(tree.digest());
    expect(loaded.meta?.snapshot).toEqual(meta);
    expect(sent.length).toBeGreaterThan(10);
    expect(inFlight.most).toBeLessThanOrEqual(8);
    expect(sender.count).toBe(0);
  });

  test("for which there is no room ends nothing but its transfer", async () => {
    const { sender, order, ended, received, fatal, disk } = await setUp();
    disk.isFull = true;
    sender.start(order);
    await settled();
    expect(ended).toEqual([false]);
    expect(fatal).not.toHaveBeenCalled();
    disk.isFull = false;
    sender.start(order);
    await settled();
    expect(ended).toEqual([false, true]);
    expect(received).toHaveLength(1);
  });

  test("is of one revision, whatever the image becomes meanwhile", async () => {
    const { sender, order, received, tree, image, wire } = await setUp();
    const digest = tree.digest();
    const held: Promise<void>[] = [];
    wire.alter = (chunk) => {
      if (chunk.sequence === 3) {
        const batch = image.batch();
        for (const [key] of chunk.records) batch.delete(key);
        held.push(batch.write());
      }
      return chunk;
    };
    sender.start(order);
    await settled();
    await Promise.all(held);
    expect(received[0]?.tree.digest()).toBe(digest);
  });

  test.each<[string, (chunk: Chunk) => Chunk]>([
    [
      "an altered value",
      (chunk) => ({
        ...chunk,
        records: chunk.records.map(([key, value], at) => [
          key,
          at === 0 ? Uint8Array.from(value, (byte) => byte ^ 1) : value,
        ]),
      }),
    ],
    ["a record too few", (chunk) => ({ ...chunk, records: chunk.records.slice(1) })],
    ["another checksum", (chunk) => ({ ...chunk, checksum: chunk.checksum + 1 })],
  ])("with %s in a piece is refused, and nothing of it stays", async (_what, alter) => {
    const { sender, order, wire, ended, received, discarded, fatal } = await setUp();
    wire.alter = (chunk) => (chunk.sequence === 4 ? alter(chunk) : chunk);
    sender.start(order);
    await settled();
    expect(ended).toEqual([false]);
    expect(received).toEqual([]);
    expect(discarded).toEqual(["peer-1"]);
    expect(fatal).not.toHaveBeenCalled();
    wire.alter = (chunk) => chunk;
    sender.start(order);
    await settled();
    expect(ended).toEqual([false, true]);
    expect(received).toHaveLength(1);
  });

  test("that lost a piece is never put together, and is given up in time", async () => {
    const { sender, order, wire, ended, received, clock } = await setUp();
    wire.alter = (chunk) => (chunk.sequence === 4 ? null : chunk);
    sender.start(order);
    await settled();
    expect(ended).toEqual([]);
    clock.advance(5001);
    sender.onTick();
    expect(ended).toEqual([false]);
    expect(received).toEqual([]);
    wire.alter = (chunk) => chunk;
    sender.start(order);
    await settled();
    expect(ended).toEqual([false, true]);
  });

  test("whose pieces come twice is still the same", async () => {
    const { sender, order, wire, received, receiver, tree, ended, discarded } = await setUp();
    wire.alter = (chunk) => {
      receiver.onChunk(LEADER, chunk);
      return chunk;
    };
    sender.start(order);
    await settled();
    expect(ended).toEqual([true]);
    expect(received).toHaveLength(1);
    expect(received[0]?.tree.digest()).toBe(tree.digest());
    expect(discarded).toEqual([]);
  });

  test("that does not give the digest it claims is refused", async () => {
    const { sender, order, wire, ended, received, discarded, suspected } = await setUp();
    // Whole and with a right checksum, but not all that the state consists of.
    const { crc32 } = await import("node:zlib");
    let checksum = 0;
    wire.alter = (chunk) => {
      const records = chunk.records.filter(([key]) => !key.endsWith("/77"));
      for (const [key, value] of records) checksum = crc32(value, crc32(key, checksum));
      return { ...chunk, records, checksum };
    };
    sender.start(order);
    await settled();
    expect(ended).toEqual([false]);
    expect(received).toEqual([]);
    expect(discarded).toEqual(["peer-1"]);
    expect(suspected).toHaveBeenCalledOnce();
  });

  test("goes on where it was when its link broke, for the message that asks for it now", async () => {
    const { sender, order, wire, sent, received, discarded, ended, tree } = await setUp();
    wire.alter = (chunk) => (chunk.sequence > 6 ? null : chunk);
    sender.start(order);
    await settled();
    sender.onLinkDown(PEER);
    expect(sender.takePinnedIndex()).toBe(tree.lastZxid);
    await settled();
    const before = sent.length;
    wire.alter = (chunk) => chunk;
    sender.start({ ...order, term: term(4) });
    await settled();
    expect(ended).toEqual([false, true]);
    expect(sent[before]).toMatchObject({ sequence: 7, transfer: sent[0]?.transfer });
    expect(sent.slice(before + 1).every(({ header }) => header === null)).toBe(true);
    expect(discarded).toEqual([]);
    expect(received).toHaveLength(1);
    expect(received[0]?.message.term).toBe(4);
    expect(received[0]?.tree.digest()).toBe(tree.digest());
  });

  test("under way is for the message that asks for it now, of a later term of the same leader", async () => {
    const { sender, order, wire, received, discarded, ended } = await setUp();
    let isHeld = true;
    const held: Chunk[] = [];
    wire.alter = (chunk) => {
      if (!isHeld || chunk.sequence < 6) return chunk;
      held.push(chunk);
      return null;
    };
    sender.start(order);
    await settled();
    expect(held.length).toBeGreaterThan(0);
    isHeld = false;
    sender.start({ ...order, term: term(4) });
    await settled();
    expect(ended).toEqual([true]);
    expect(received.map(({ message }) => message.term)).toEqual([4]);
    expect(discarded).toEqual([]);
  });

  test("goes on although no answer came before the link broke", async () => {
    const { sender, order, wire, received, discarded, ended } = await setUp();
    wire.loseAcks = true;
    sender.start(order);
    await settled();
    sender.onLinkDown(PEER);
    wire.loseAcks = false;
    sender.start(order);
    await settled();
    expect(ended).toEqual([false, true]);
    expect(discarded).toEqual([]);
    expect(received).toHaveLength(1);
  });

  test("of which nothing more comes is dropped in the end, and one that goes on is not", async () => {
    const { sender, order, wire, sent, received, receiver, clock, discarded } = await setUp();
    wire.alter = (chunk) => (chunk.sequence > 6 ? null : chunk);
    sender.start(order);
    await settled();
    clock.advance(40_000);
    receiver.onChunk(LEADER, sent[5]!);
    await settled();
    clock.advance(40_000);
    await settled();
    expect(discarded).toEqual([]);
    clock.advance(20_001);
    await settled();
    expect([discarded, received]).toEqual([["peer-1"], []]);
  });

  test("starts anew when its link was broken for long", async () => {
    const { sender, order, wire, received, discarded, clock, tree } = await setUp();
    wire.alter = (chunk) => (chunk.sequence > 6 ? null : chunk);
    sender.start(order);
    await settled();
    sender.onLinkDown(PEER);
    clock.advance(30_001);
    sender.onTick();
    expect(sender.takePinnedIndex()).toBeNull();
    wire.alter = (chunk) => chunk;
    sender.start(order);
    await settled();
    expect(discarded).toEqual(["peer-1"]);
    expect(received[0]?.tree.digest()).toBe(tree.digest());
  });

  test("starts anew when the core asks for a later one, or the receiver has forgotten it", async () => {
    const { sender, order, wire, ended, received, discarded, receiver, tree } = await setUp();
    const broken = async (): Promise<void> => {
      wire.alter = (chunk) => (chunk.sequence > 6 ? null : chunk);
      sender.start(order);
      await settled();
      sender.onLinkDown(PEER);
      wire.alter = (chunk) => chunk;
    };
    await broken();
    sender.start({ ...order, snapshot: metaAt(tree.lastZxid + 1) });
    await settled();
    expect(received).toHaveLength(1);
    expect(discarded).toEqual(["peer-1"]);
    await broken();
    await receiver.stop();
    sender.start(order);
    await settled();
    expect(ended).toEqual([false, true, false, false]);
    sender.start(order);
    await settled();
    expect(ended.at(-1)).toBe(true);
    expect(received).toHaveLength(2);
  });

  test("is sent once at a time to each peer", async () => {
    const { sender, order, ended, received } = await setUp();
    sender.start(order);
    sender.start(order);
    await settled();
    expect(ended).toEqual([true]);
    expect(received).toHaveLength(1);
  });
});
