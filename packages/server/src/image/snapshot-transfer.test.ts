import { DataTree, TREE_LIMITS } from "@quorate/kv-store";
import { sessionId, writeSeq, zxid } from "@quorate/kv-store/protocol";
import { logIndex, nodeId, term, type Message, type SnapshotMeta } from "@quorate/raft";
import { describe, expect, test, vi } from "vitest";
import { loneMembership } from "../../../../tests/support/members.ts";
import { ServerError } from "../errors.ts";
import { ManualClock } from "../memory/manual-clock.ts";
import { MemoryFiles } from "../memory/memory-files.ts";
import { MemoryImageStores } from "../memory/memory-image-stores.ts";
import type { PeerEnvelope } from "../peer/envelope.ts";
import type { ImageStore } from "../ports.ts";
import { Checkpointer } from "./checkpointer.ts";
import { loadImage } from "./image-loader.ts";
import { encodeImageMeta } from "./image-meta.ts";
import { recordsChecksum } from "./records-checksum.ts";
import { SnapshotReceiver, type ReceivedSnapshot } from "./snapshot-receiver.ts";
import { SnapshotSender } from "./snapshot-sender.ts";

type Chunk = Extract<PeerEnvelope, { readonly kind: "snapshotChunk" }>;
type InstallSnapshot = Extract<Message, { readonly kind: "installSnapshot" }>;

const LEADER = nodeId(1);
const PEER = nodeId(2);
const NODES = 5000;

class Clock extends ManualClock {
  override endOfTurn(callback: () => void): void {
    queueMicrotask(callback);
  }
}

function builtTree(): DataTree {
  const tree = new DataTree(TREE_LIMITS);
  const stamp = { timeMs: 1, clockMs: 1 };
  const attach = { node: 1, address: "", principal: "", clientName: "" };
  tree.apply(zxid(1), 1, stamp, {
    ...{ kind: "openSession", verifier: new Uint8Array(16), timeoutMs: 5000, attach },
  });
  for (let at = 1; at <= NODES; at += 1) {
    tree.apply(zxid(1 + at), 1, stamp, {
      ...{ kind: "write", session: sessionId(1), writeSeq: writeSeq(at) },
      ...{ ackedSeq: at === 1 ? 0 : writeSeq(at - 1), epoch: 0 },
      ops: [{ kind: "create", path: `/${at}`, data: new Uint8Array(300), mode: "persistent" }],
    });
  }
  return tree;
}

function metaAt(index: number): SnapshotMeta {
  return {
    index: logIndex(index),
    term: term(1),
    membership: loneMembership(LEADER),
  };
}

/** A leader and a peer; everything between them passes `wire`, which may lose or alter it. */
async function setUp() {
  const files = new MemoryFiles();
  await files.makeDirectory("/data");
  const stores = new MemoryImageStores(files);
  const image = await stores.open("/data/leader", { create: true });
  const clock = new Clock();
  const tree = builtTree();
  const meta = metaAt(tree.lastZxid);
  await new Checkpointer({ clock, clusterId: "c", historyId: "h" }).run(tree, image, meta);
  const wire: { alter: (chunk: Chunk) => Chunk | null; loseAcks: boolean } = {
    alter: (chunk) => chunk,
    loseAcks: false,
  };
  const sent: Chunk[] = [];
  const inFlight = { now: 0, most: 0 };
  const ended: boolean[] = [];
  const received: ReceivedSnapshot[] = [];
  const discarded: string[] = [];
  const fatal = vi.fn();
  const disk = { isFull: false };
  let images = 0;
  const receiver = new SnapshotReceiver({
    ...{ clock, limits: TREE_LIMITS, clusterId: "c", historyId: "h" },
    createImage: async () => {
      if (disk.isFull) throw new ServerError("STORAGE_FULL", "planned");
      images += 1;
      const directory = `peer-${images}`;
      return { image: await stores.open(`/data/${directory}`, { create: true }), directory };
    },
    discardImage: async (image, directory) => {
      discarded.push(directory);
      await image.close();
    },
    ack: (_to, transfer, sequence, ok) => {
      inFlight.now -= 1;
      if (!wire.loseAcks) sender.onAck(PEER, transfer, sequence, ok);
    },
    received: async (snapshot) => void received.push(snapshot),
    fatal,
  });
  const sender: SnapshotSender = new SnapshotSender(100, {
    ...{ clock, pieceBytes: 65_536 },
    image: () => image,
    send: (_to, envelope) => {
      if (envelope.kind !== "snapshotChunk") return;
      sent.push(envelope);
      inFlight.now += 1;
      inFlight.most = Math.max(inFlight.most, inFlight.now);
      const chunk = wire.alter(envelope);
      if (chunk !== null) receiver.onChunk(LEADER, chunk);
    },
    done: (_to, ok) => void ended.push(ok),
  });
  /** The leader's core knows an older image than the one that is sent. */
  const order: InstallSnapshot = {
    kind: "installSnapshot",
    from: LEADER,
    to: PEER,
    term: term(3),
    snapshot: metaAt(10),
  };
  return {
    ...{ clock, tree, meta, image, wire, sent, inFlight, ended, received, discarded, fatal },
    ...{ receiver, sender, order, disk },
  };
}

/** Until nothing moves any more: everything between the two is made of promises. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5000; turn += 1) await Promise.resolve();
}

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
    const { sender, order, wire, ended, received, discarded } = await setUp();
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

  test("of an image that cannot be read gives up", async () => {
    const { clock } = await setUp();
    const ended: boolean[] = [];
    const view = {
      next: () => Promise.reject(new Error("EIO")),
      close: () => Promise.reject(new Error("closed")),
    };
    const sender = new SnapshotSender(1, {
      ...{ clock, pieceBytes: 1 },
      image: () => ({ view: () => view }) as unknown as ImageStore,
      send: () => undefined,
      done: (_to, ok) => void ended.push(ok),
    });
    const { order } = await setUp();
    sender.start(order);
    await settled();
    expect(ended).toEqual([false]);
  });
});

describe("a receiver", () => {
  test("drops what is incomplete when it stops", async () => {
    const { sender, order, wire, receiver, discarded } = await setUp();
    wire.alter = (chunk) => (chunk.sequence > 3 ? null : chunk);
    sender.start(order);
    await settled();
    expect(receiver.isReceiving).toBe(true);
    await receiver.stop();
    expect(discarded).toEqual(["peer-1"]);
    expect(receiver.isReceiving).toBe(false);
  });

  test("blames itself for its own disk only", async () => {
    const { sender, order, fatal, ended } = await setUp();
    const failing = vi.spyOn(MemoryImageStores.prototype, "open");
    failing.mockRejectedValueOnce(new Error("EIO"));
    sender.start(order);
    await settled();
    failing.mockRestore();
    expect(fatal).toHaveBeenCalledOnce();
    expect(ended).toEqual([false]);
  });

  const whole = { clusterId: "c", historyId: "h", snapshot: metaAt(builtTree().lastZxid) };
  const stranger = { ...metaAt(1).membership.members[0]!, name: "stranger" };
  test.each([
    ["cannot read", Uint8Array.of(1)],
    [
      "finds to name nobody",
      new TextEncoder().encode(
        JSON.stringify({
          version: 1,
          ...whole,
          snapshot: {
            ...whole.snapshot,
            membership: { ...whole.snapshot.membership, voters: [0] },
          },
        }),
      ),
    ],
    ["finds to be of another ensemble", encodeImageMeta({ ...whole, clusterId: "other" })],
    ["finds to be of another history", encodeImageMeta({ ...whole, historyId: "other" })],
    [
      "finds to be of another term",
      encodeImageMeta({ ...whole, snapshot: { ...whole.snapshot, term: term(2) } }),
    ],
    [
      "finds to name other members",
      encodeImageMeta({
        ...whole,
        snapshot: {
          ...whole.snapshot,
          membership: { ...whole.snapshot.membership, members: [stranger] },
        },
      }),
    ],
  ])("takes a meta record that it %s for the sender's fault", async (_what, meta) => {
    const { sender, order, wire, fatal, ended, discarded, received } = await setUp();
    let checksum = 0;
    wire.alter = (chunk) => {
      const records = chunk.records.map(
        ([key, value]) => [key, key === "@image" ? meta : value] as const,
      );
      checksum = recordsChecksum(records, checksum);
      return { ...chunk, records, checksum };
    };
    sender.start(order);
    await settled();
    expect(fatal).not.toHaveBeenCalled();
    expect(received).toEqual([]);
    expect(ended).toEqual([false]);
    expect(discarded).toEqual(["peer-1"]);
  });
});
