import { describe, expect, test } from "vitest";
import { ServerError } from "../errors.ts";
import { MemoryFiles } from "./memory-files.ts";

const SECTOR = 512;

async function withFile(durable: boolean, seed = 1) {
  const files = new MemoryFiles({ seed });
  await files.makeDirectory("/d");
  const file = await files.open("/d/x", { create: true, durable });
  await file.write(0, new Uint8Array(4 * SECTOR));
  await file.sync();
  await files.syncDirectory("/d");
  return { files, file };
}

describe("files in memory", () => {
  test("synced bytes and durable writes outlive a crash", async () => {
    for (let seed = 1; seed <= 8; seed += 1) {
      const synced = await withFile(false, seed);
      await synced.file.write(10, Uint8Array.of(1, 2, 3));
      await synced.file.sync();
      const back = (await synced.files.crash().readWhole("/d/x"))!;
      expect([...back.subarray(10, 13)]).toEqual([1, 2, 3]);
      const durable = await withFile(true, seed);
      await durable.file.write(4 * SECTOR, Uint8Array.of(7));
      expect((await durable.files.crash().readWhole("/d/x"))![4 * SECTOR]).toBe(7);
    }
  });

  test("what was not synced is lost or kept sector by sector, by the seed alone", async () => {
    const outcomes = new Set<string>();
    for (let seed = 1; seed <= 20; seed += 1) {
      const run = async (): Promise<string> => {
        const { files, file } = await withFile(false, seed);
        await file.write(0, new Uint8Array(4 * SECTOR).fill(1));
        const back = (await files.crash().readWhole("/d/x"))!;
        const sectors = [0, 1, 2, 3].map((at) => back.subarray(at * SECTOR, (at + 1) * SECTOR));
        for (const sector of sectors) expect(new Set(sector).size).toBe(1);
        return sectors.map((sector) => sector[0]).join("");
      };
      const outcome = await run();
      expect(await run()).toBe(outcome);
      outcomes.add(outcome);
    }
    expect(outcomes.size).toBeGreaterThan(5);
  });

  test("a copy of the disk goes its own way, with what was not synced", async () => {
    const outcomes = new Set<number | undefined>();
    for (let seed = 1; seed <= 8; seed += 1) {
      const { files, file } = await withFile(false);
      await file.write(0, Uint8Array.of(1));
      const copy = files.copy(seed);
      await file.write(0, Uint8Array.of(2));
      await file.sync();
      await files.remove("/d/x");
      expect((await copy.readWhole("/d/x"))?.[0]).toBe(1);
      outcomes.add((await copy.crash().readWhole("/d/x"))?.[0]);
      expect(await files.readWhole("/d/x")).toBe(null);
    }
    expect([...outcomes].sort()).toEqual([0, 1]);
  });

  test("what a process wrote outlives it, and what it did not sync not the machine", async () => {
    const outcomes = new Set<number | undefined>();
    for (let seed = 1; seed <= 8; seed += 1) {
      const { files, file } = await withFile(false, seed);
      await file.write(0, Uint8Array.of(1));
      const next = files.restart();
      expect((await next.readWhole("/d/x"))?.[0]).toBe(1);
      outcomes.add((await next.crash().readWhole("/d/x"))?.[0]);
    }
    expect([...outcomes].sort()).toEqual([0, 1]);
  });

  test("what the disk refused is shown, no sync makes it durable, and writing it again does", async () => {
    for (const operation of ["write", "sync"] as const) {
      const outcomes = new Set<string>();
      for (let seed = 1; seed <= 8; seed += 1) {
        const { files, file } = await withFile(false, seed);
        files.failNext(operation, new ServerError("STORAGE_FAILED", "EIO"));
        const refused = file.write(0, Uint8Array.of(1)).then(() => file.sync());
        await expect(refused).rejects.toMatchObject({ code: "STORAGE_FAILED" });
        await file.write(SECTOR, Uint8Array.of(2));
        await file.sync();
        expect((await files.readWhole("/d/x"))?.[0]).toBe(1);
        const back = (await files.crash().readWhole("/d/x"))!;
        outcomes.add(`${back[0]}${back[SECTOR]}`);
      }
      expect([...outcomes].sort()).toEqual(["02", "12"]);
    }
    const { files, file } = await withFile(true);
    files.failNext("write", new ServerError("STORAGE_FAILED", "EIO"));
    await expect(file.write(0, Uint8Array.of(1))).rejects.toThrow("EIO");
    await file.write(0, Uint8Array.of(1));
    expect((await files.crash().readWhole("/d/x"))?.[0]).toBe(1);
  });

  test("a broken sector is not given back until it is written, and takes nothing else with it", async () => {
    const { files, file } = await withFile(true);
    files.breakSector("/d/x", SECTOR + 7);
    const broken = { code: "STORAGE_FAILED", cause: { code: "EIO" } };
    await expect(file.read(0, 2 * SECTOR)).rejects.toMatchObject(broken);
    await expect(file.read(2 * SECTOR - 1, 1)).rejects.toMatchObject(broken);
    await expect(files.readWhole("/d/x")).rejects.toMatchObject(broken);
    expect(await file.read(0, SECTOR)).toHaveLength(SECTOR);
    expect(await file.read(2 * SECTOR, SECTOR)).toHaveLength(SECTOR);
    const after = files.crash();
    await expect(after.readWhole("/d/x")).rejects.toMatchObject(broken);
    const again = await after.open("/d/x", { create: false, durable: true });
    await again.write(SECTOR, Uint8Array.of(5));
    expect((await after.readWhole("/d/x"))?.[SECTOR]).toBe(5);
  });

  test("the medium makes a file shorter or longer", async () => {
    const { files, file } = await withFile(true);
    await file.write(0, new Uint8Array(4 * SECTOR).fill(1));
    files.resize("/d/x", 10);
    files.resize("/d/x", 12);
    expect([...((await files.crash().readWhole("/d/x")) ?? [])]).toEqual([
      ...Array.from({ length: 10 }, () => 1),
      ...[0, 0],
    ]);
  });

  test("names that were not synced with their directory may be lost", async () => {
    const found = new Set<string>();
    for (let seed = 1; seed <= 12; seed += 1) {
      const { files } = await withFile(true, seed);
      await files.rename("/d/x", "/d/y");
      await (await files.open("/d/z", { create: true, durable: true })).close();
      found.add((await files.crash().list("/d")).join());
    }
    expect([...found].sort()).toEqual(["x", "x,z", "y", "y,z"]);
    const { files } = await withFile(true);
    await files.rename("/d/x", "/d/y");
    await files.syncDirectory("/d");
    expect(await files.crash().list("/d")).toEqual(["y"]);
  });

  test("a write that is under way may be torn", async () => {
    const found = new Set<number>();
    for (let seed = 1; seed <= 8; seed += 1) {
      const { files, file } = await withFile(true, seed);
      const held = files.holdNext("write");
      void file.write(0, new Uint8Array(SECTOR).fill(5));
      await held.reached;
      found.add((await files.crash().readWhole("/d/x"))![0]!);
    }
    expect([...found].sort()).toEqual([0, 5]);
  });

  test("nobody is answered by a machine that stopped", async () => {
    const { files, file } = await withFile(true);
    const restarted = files.crash();
    let answers = 0;
    const count = (): void => {
      answers += 1;
    };
    for (const asked of [files.list("/d"), file.write(0, Uint8Array.of(1)), file.sync()]) {
      asked.then(count, count);
    }
    expect(await restarted.list("/d")).toEqual(["x"]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(answers).toBe(0);
    expect((await restarted.readWhole("/d/x"))![0]).toBe(0);
  });

  test("a full disk takes nothing more, and what is there can be changed", async () => {
    const { files, file } = await withFile(true);
    files.setBytesMax(5 * SECTOR);
    await file.write(4 * SECTOR, new Uint8Array(SECTOR));
    const more = file.write(5 * SECTOR, Uint8Array.of(1));
    await expect(more).rejects.toMatchObject({ code: "STORAGE_FULL" });
    await file.write(0, Uint8Array.of(1));
    expect(await files.space("/d")).toEqual({ freeBytes: 0, totalBytes: 5 * SECTOR });
  });

  test("the next operation fails, and only that", async () => {
    const { files, file } = await withFile(true);
    const planned = new ServerError("STORAGE_FAILED", "planned");
    files.failNext("sync", planned);
    await expect(file.sync()).rejects.toBe(planned);
    await file.sync();
  });

  test("every step is shown before and while it happens", async () => {
    const { files, file } = await withFile(true);
    const steps: string[] = [];
    files.setOnStep(({ operation, phase }) => {
      steps.push(`${phase} ${operation}`);
      return null;
    });
    await file.write(0, Uint8Array.of(1));
    expect(steps).toEqual(["before write", "during write"]);
  });

  test("whoever looks from outside takes no step, and sees what readers see", async () => {
    const { files, file } = await withFile(true);
    files.failNext("readWhole", new ServerError("STORAGE_FAILED", "planned"));
    files.setOnStep(() => {
      throw new Error("a step");
    });
    expect((await files.aside().readWhole("/d/x"))?.length).toBe(4 * SECTOR);
    files.setOnStep(null);
    await file.write(SECTOR, Uint8Array.of(1, 2, 3));
    expect([...files.bytesOf("/d/x", SECTOR + 1, 3)]).toEqual([2, 3, 0]);
    expect([...files.bytesOf("/d/x", 4 * SECTOR - 1, 3)]).toEqual([0]);
    expect(await files.aside().list("/d")).toEqual(["x"]);
  });
});
