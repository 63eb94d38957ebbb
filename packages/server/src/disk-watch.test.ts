import { describe, expect, test } from "vitest";
import { DiskWatch } from "./disk-watch.ts";
import { MemoryFiles } from "./memory/memory-files.ts";

class Disk extends MemoryFiles {
  freeBytes = 1_000;
  asked = 0;
  answer: (() => void) | null = null;
  isBroken = false;
  holds = false;

  override async space(): Promise<{ freeBytes: number; totalBytes: number }> {
    this.asked += 1;
    if (this.holds) {
      await new Promise<void>((resolve) => {
        this.answer = resolve;
      });
    }
    if (this.isBroken) throw new Error("no answer");
    return { freeBytes: this.freeBytes, totalBytes: 10_000 };
  }
}

function setUp() {
  const disk = new Disk();
  const watch = new DiskWatch(disk, "/data", { freeBytesMin: 1_000, reserveBytes: 200 });
  const look = async (freeBytes: number): Promise<boolean> => {
    disk.freeBytes = freeBytes;
    watch.onTick(500);
    await settled();
    return watch.isFull;
  };
  return { disk, watch, look };
}

/** Lets promises that are settled already have their say. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
}

describe("the disk watch", () => {
  test("finds the disk full below its watermark, and free again only well above it", async () => {
    const { look, watch } = setUp();
    expect(await look(1_000)).toBe(false);
    expect(await look(999)).toBe(true);
    expect(await look(1_000)).toBe(true);
    expect(await look(1_099)).toBe(true);
    expect(await look(1_100)).toBe(false);
    expect(await look(1_000)).toBe(false);
    expect(watch.freeBytes).toBe(1_000);
  });

  test("has room for sessions down to the middle between watermark and reserve", async () => {
    const { look, watch } = setUp();
    const rooms: string[] = [];
    for (const freeBytes of [600, 599, 659, 660, 1_100, 1_000]) {
      await look(freeBytes);
      rooms.push(watch.room);
    }
    expect(rooms).toEqual(["little", "none", "none", "little", "enough", "enough"]);
  });

  test("looks at its interval, and never twice at a time", async () => {
    const { disk, watch } = setUp();
    watch.onTick(10);
    await settled();
    watch.onTick(499);
    await settled();
    expect(disk.asked).toBe(1);
    disk.holds = true;
    watch.onTick(1);
    watch.onTick(5_000);
    await settled();
    expect(disk.asked).toBe(2);
    disk.answer?.();
    await settled();
    disk.holds = false;
    watch.onTick(1);
    await settled();
    expect(disk.asked).toBe(3);
  });

  test("takes no answer for no reason to refuse, and asks again", async () => {
    const { disk, look } = setUp();
    disk.isBroken = true;
    expect(await look(1)).toBe(false);
    disk.isBroken = false;
    expect(await look(1)).toBe(true);
    disk.isBroken = true;
    expect(await look(5_000)).toBe(true);
  });
});
