import { term } from "@quorate/raft";
import { describe, expect, test, vi } from "vitest";
import {
  builtTree,
  metaAt,
  settled,
  setUpTransfer as setUp,
} from "../../../../tests/support/snapshot-transfer.ts";
import { MemoryImageStores } from "../memory/memory-image-stores.ts";
import { encodeImageMeta } from "./image-meta.ts";
import { recordsChecksum } from "./records-checksum.ts";

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

  test("takes nothing more in once the rest of the disk is for the log, and gives back what it had", async () => {
    const { sender, order, wire, fatal, ended, discarded, disk, received, clock } = await setUp();
    wire.alter = (chunk) => {
      disk.hasSpareRoom = chunk.sequence < 3;
      return chunk;
    };
    sender.start(order);
    await settled();
    expect(ended).toEqual([false]);
    expect(discarded).toEqual(["peer-1"]);
    // What it took is free again, and is no more than before.
    wire.alter = (chunk) => chunk;
    disk.hasSpareRoom = true;
    sender.start(order);
    await settled();
    expect(discarded).toEqual(["peer-1"]);
    expect(received).toEqual([]);
    clock.advance(10_000);
    sender.onTick();
    expect(ended).toEqual([false, false]);
    disk.freeBytes += 1;
    sender.start(order);
    await settled();
    expect(received).toHaveLength(1);
    expect(fatal).not.toHaveBeenCalled();
  });

  test("tries with as much room again after a minute: the next may be smaller", async () => {
    const { sender, order, wire, disk, received, clock } = await setUp();
    wire.alter = (chunk) => {
      disk.hasSpareRoom = chunk.sequence < 3;
      return chunk;
    };
    sender.start(order);
    await settled();
    wire.alter = (chunk) => chunk;
    disk.hasSpareRoom = true;
    clock.advance(60_000);
    sender.start(order);
    await settled();
    expect(received).toHaveLength(1);
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
