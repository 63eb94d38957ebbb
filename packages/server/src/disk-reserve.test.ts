import { describe, expect, test } from "vitest";
import { DiskReserve } from "./disk-reserve.ts";
import { MemoryFiles } from "./memory/memory-files.ts";
import { systemError } from "./memory/system-error.ts";
import { RESERVE_FILE } from "./storage/data-directory.ts";
import { fileError } from "./storage/file-error.ts";

const PLENTY = 1e9;
const LIMITS = { freeBytesMin: 1_000, reserveBytes: 3_000_000 };

async function setUp() {
  const files = new MemoryFiles();
  await files.makeDirectory("/data");
  const reserve = new DiskReserve(files, "/data", LIMITS);
  const told = async (freeBytes: number): Promise<readonly string[]> => {
    reserve.update(freeBytes);
    await reserve.close();
    return files.list("/data");
  };
  return { files, reserve, told };
}

describe("the disk's reserve", () => {
  test("is made where there is room, and given up where there is none", async () => {
    const { reserve, told } = await setUp();
    expect(await told(LIMITS.reserveBytes)).toEqual([]);
    expect(await told(PLENTY)).toEqual([RESERVE_FILE]);
    expect(reserve.isPresent).toBe(true);
    expect(await told(LIMITS.reserveBytes - 1)).toEqual([]);
    expect(reserve.isPresent).toBe(false);
  });

  test.each(["open", "write", "sync", "close"])(
    "that fails in %s leaves nothing behind, and is made later",
    async (failing) => {
      const { files, reserve, told } = await setUp();
      let left = failing === "write" ? 3 : 1;
      files.setOnStep(({ operation, path, phase }) => {
        if (operation !== failing || phase !== "before") return null;
        left -= 1;
        if (left !== 0) return null;
        const full = systemError("ENOSPC");
        return Promise.reject(fileError(operation, path, full));
      });
      expect(await told(PLENTY)).toEqual([]);
      expect(left).toBe(0);
      expect(reserve.isPresent).toBe(false);
      expect(await told(PLENTY)).toEqual([RESERVE_FILE]);
    },
  );

  test.each([1, 2_000_000, 5_000_000])(
    "that is found with %i bytes is none, and is made anew",
    async (bytes) => {
      const { files, reserve, told } = await setUp();
      const file = await files.open(`/data/${RESERVE_FILE}`, { create: true, durable: false });
      await file.write(0, new Uint8Array(bytes));
      await file.close();
      await reserve.open();
      expect(reserve.isPresent).toBe(false);
      expect(await files.list("/data")).toEqual([]);
      expect(await told(PLENTY)).toEqual([RESERVE_FILE]);
    },
  );

  test("that was made whole is found again", async () => {
    const { files, told } = await setUp();
    await told(PLENTY);
    const again = new DiskReserve(files, "/data", LIMITS);
    await again.open();
    expect(again.isPresent).toBe(true);
  });
});
