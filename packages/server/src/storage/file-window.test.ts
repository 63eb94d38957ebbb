import { describe, expect, test } from "vitest";
import { ServerError } from "../errors.ts";
import { MemoryFiles } from "../memory/memory-files.ts";
import { FileWindow } from "./file-window.ts";

const SECTOR = 512;
const SECTORS = 4_096;

/** A file whose sectors each hold their own number, and how often it was read. */
async function numbered() {
  const files = new MemoryFiles();
  let reads = 0;
  const file = await files.open("/x", { create: true, durable: true });
  const bytes = new Uint8Array(SECTORS * SECTOR);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < SECTORS; at += 1) view.setUint32(at * SECTOR, at);
  await file.write(0, bytes);
  files.setOnStep(({ operation, phase }) => {
    if (operation === "read" && phase === "before") reads += 1;
    return null;
  });
  return { files, file, reads: () => reads };
}

async function sectorAt(window: FileWindow, at: number): Promise<number> {
  const bytes = await window.at(at * SECTOR, SECTOR);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0);
}

describe("a window over a file", () => {
  test("gives everything back with few reads", async () => {
    const { file, reads } = await numbered();
    const window = new FileWindow(file);
    for (let at = 0; at < SECTORS; at += 1) expect(await sectorAt(window, at)).toBe(at);
    expect(reads()).toBe(2);
    expect(await window.at(SECTORS * SECTOR - 10, 100)).toHaveLength(10);
  });

  test.each([0, 1, 2, 7, 700, 2_047, 2_048, 4_095])(
    "gives back everything but sector %d, with few reads",
    async (broken) => {
      const { files, file, reads } = await numbered();
      files.breakSector("/x", broken * SECTOR);
      const window = new FileWindow(file);
      for (let at = 0; at < broken; at += 1) expect(await sectorAt(window, at)).toBe(at);
      await expect(sectorAt(window, broken)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
      expect(reads()).toBeLessThan(30);
      if (broken + 1 < SECTORS) expect(await sectorAt(window, broken + 1)).toBe(broken + 1);
    },
  );

  test("does not ask again what failed for another reason", async () => {
    const { files, file, reads } = await numbered();
    const failure = new ServerError("STORAGE_FAILED", "planned");
    files.failNext("read", failure);
    await expect(sectorAt(new FileWindow(file), 0)).rejects.toBe(failure);
    expect(reads()).toBe(1);
  });
});
