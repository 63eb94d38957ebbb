import { logIndex } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { ServerError } from "../../packages/server/src/errors.ts";
import { MemoryFiles } from "../../packages/server/src/memory/memory-files.ts";
import { encodeEntries } from "../../packages/server/src/storage/entry-codec.ts";
import { scanLog, type LogScanItem } from "../../packages/server/src/storage/log-scan.ts";
import {
  DIRECTORY,
  SEGMENT_BYTES,
  append,
  command,
  commands,
  hardState,
  openLog,
  readAll,
  work,
} from "../support/log-fixture.ts";

const SECTOR = 512;
const NOTHING = new Uint8Array(0);

type Ok = Extract<LogScanItem, { status: "ok" }>;

async function recordsOf(files: MemoryFiles): Promise<readonly Ok[]> {
  const items: Ok[] = [];
  for await (const item of scanLog(files, DIRECTORY)) if (item.status === "ok") items.push(item);
  return items;
}

/** Five records in one segment; the last takes six sectors. */
async function fiveRecords(seed = 1) {
  const files = new MemoryFiles({ seed });
  const { log } = await openLog(files, { create: true });
  for (let at = 1; at <= 4; at += 1) await append(log, [command(at, 1, 600)]);
  await append(log, [command(5, 1, 2_600)]);
  await log.close();
  const records = await recordsOf(files);
  const last = records.at(-1)!;
  return { files, records, last, path: `${DIRECTORY}/${last.segment}` };
}

async function severalSegments() {
  const files = new MemoryFiles();
  const { log } = await openLog(files, { create: true });
  for (let at = 1; at <= 60; at += 1) await append(log, [command(at, 1, 900)]);
  await log.close();
  const names = (await files.list(DIRECTORY)).filter((name) => name.endsWith(".wal"));
  return { files, names, records: await recordsOf(files) };
}

describe("a scan of segments", () => {
  async function findings(files: MemoryFiles): Promise<readonly string[]> {
    const found: string[] = [];
    for await (const item of scanLog(files, DIRECTORY)) {
      if (item.status !== "ok") found.push(`${item.segment} ${item.status} ${item.message}`);
    }
    return found;
  }

  test("finds nothing wrong with a whole log", async () => {
    const { files, names } = await severalSegments();
    expect(names.length).toBeGreaterThan(3);
    expect(await findings(files)).toEqual([]);
  });

  test("finds each segment that is gone, but the first: a log is shortened from there", async () => {
    const { names } = await severalSegments();
    for (const [at, name] of names.entries()) {
      const { files } = await severalSegments();
      await files.remove(`${DIRECTORY}/${name}`);
      const found = await findings(files);
      expect(found).toHaveLength(at === 0 ? 0 : 1);
      if (at > 0) expect(found[0]).toMatch(/corrupt (records|the segment from record) .* gone$/);
    }
  });

  test("finds a segment gone that held no entries", async () => {
    const files = new MemoryFiles();
    const { log } = await openLog(files, { create: true });
    await append(log, [command(1, 1, 600)]);
    for (let at = 2; at <= 120; at += 1) {
      await log.persist(work(at), NOTHING);
    }
    await log.close();
    const names = (await files.list(DIRECTORY)).filter((name) => name.endsWith(".wal"));
    expect(names.length).toBeGreaterThan(3);
    await files.remove(`${DIRECTORY}/${names[1]}`);
    expect(await findings(files)).toEqual([
      expect.stringMatching(/corrupt records \d+ to \d+ are gone/),
    ]);
  });
});

describe("write-ahead log, unfinished writes", () => {
  test("any part of the last write may be missing", async () => {
    const { last } = await fiveRecords();
    const sectors = last.bytes / SECTOR;
    for (let written = 0; written < 2 ** sectors - 1; written += 1) {
      const { files, path } = await fiveRecords();
      for (let sector = 0; sector < sectors; sector += 1) {
        if ((written & (1 << sector)) !== 0) continue;
        files.overwrite(path, last.position + sector * SECTOR, new Uint8Array(SECTOR));
      }
      const { log, recovered } = await openLog(files);
      expect(recovered, `sectors ${written.toString(2)}`).toMatchObject({
        damage: null,
        torn: written === 0 ? 0 : 1,
        lastIndex: 4,
        records: 4,
      });
      await append(log, [command(5, 2, 100)]);
      expect((await readAll(log)).at(-1)).toEqual(command(5, 2, 100));
      expect((await openLog(files)).recovered).toMatchObject({ torn: 0, damage: null });
    }
  });

  test("data that are all zeros are no hole", async () => {
    const before = new MemoryFiles();
    const { log } = await openLog(before, { create: true });
    const data = new Uint8Array(5_000);
    const entry = { kind: "command" as const, term: hardState(1).term, index: logIndex(1), data };
    await append(log, [entry]);
    const files = before.crash();
    const after = await openLog(files);
    expect(after.recovered).toMatchObject({ torn: 0, damage: null, lastIndex: 1 });
    expect(await readAll(after.log)).toEqual([entry]);
    // A damaged record with such data is damaged all the same.
    const [record] = await recordsOf(files);
    files.flipBit(`${DIRECTORY}/${record!.segment}`, record!.position + 2_000);
    expect((await openLog(files)).recovered.damage).toMatchObject({ kind: "record" });
  });

  test("three in a row still start", async () => {
    let files = new MemoryFiles({ seed: 3 });
    await openLog(files, { create: true });
    let torn = 0;
    let crashes = 0;
    for (; torn < 3; crashes += 1) {
      const { log, recovered } = await openLog(files);
      expect(recovered.damage).toBeNull();
      torn += recovered.torn;
      const write = files.holdNext("write");
      const pending = append(log, [command(log.lastIndex + 1, 1, 4_000)]);
      await write.reached;
      files = files.crash();
      void pending;
    }
    expect(crashes).toBeLessThan(10);
    const { log } = await openLog(files);
    await append(log, [command(log.lastIndex + 1, 1)]);
    expect((await openLog(files)).recovered.torn).toBe(0);
  });

  test("a record known to be durable is not taken for an unfinished one", async () => {
    const { files, last, path } = await fiveRecords();
    files.overwrite(path, last.position + SECTOR, new Uint8Array(SECTOR));
    const { recovered } = await openLog(files, { sequenceAtLeast: 5 });
    expect(recovered).toMatchObject({ torn: 0, lastIndex: 4, damage: { kind: "records_lost" } });
    expect((await openLog(files, { sequenceAtLeast: 4 })).recovered.damage).toBeNull();
  });
});

describe("write-ahead log, damage", () => {
  test("one flipped bit anywhere loses nothing without a word", async () => {
    const { records, last } = await fiveRecords();
    const end = last.position + last.bytes;
    let seen = 0;
    for (let position = 0; position < end; position += 7) {
      const { files, path } = await fiveRecords();
      files.flipBit(path, position, position % 8);
      const { log, recovered } = await openLog(files);
      if (recovered.damage === null) {
        expect(recovered.lastIndex, `byte ${position}`).toBe(5);
        expect(await readAll(log)).toHaveLength(5);
        continue;
      }
      seen += 1;
      const whole = records.filter((record) => record.position + record.bytes <= position);
      expect(recovered.records, `byte ${position}`).toBe(position < SECTOR ? 0 : whole.length);
      await expect(append(log, [command(6, 1)])).rejects.toMatchObject({ code: "LOG_CORRUPT" });
      // Looking at it changed nothing.
      files.flipBit(path, position, position % 8);
      expect((await openLog(files)).recovered).toMatchObject({ damage: null, lastIndex: 5 });
    }
    expect(seen).toBeGreaterThan(500);
  });

  test("a record that vanished before others is damage", async () => {
    const { files, records, path } = await fiveRecords();
    const { position, bytes } = records[2]!;
    files.overwrite(path, position, new Uint8Array(bytes));
    expect((await openLog(files)).recovered).toMatchObject({
      records: 2,
      torn: 0,
      damage: { kind: "record", position },
    });
  });

  test("a record with a hole before others is damage, not an unfinished write", async () => {
    const { files, records, path } = await fiveRecords();
    const { position } = records[2]!;
    files.overwrite(path, position + SECTOR, new Uint8Array(SECTOR));
    expect((await openLog(files)).recovered).toMatchObject({
      records: 2,
      torn: 0,
      damage: { kind: "record", position },
    });
  });
});

describe("write-ahead log, failing disks", () => {
  const failed = new ServerError("STORAGE_FAILED", "planned");

  test.each(["write", "rename", "syncDirectory", "open"] as const)(
    "after one failed %s it refuses everything",
    async (operation) => {
      const files = new MemoryFiles();
      const { log } = await openLog(files, { create: true });
      await append(log, [command(1, 1, 12_000)]);
      files.failNext(operation, failed);
      // Too large for what is left of the segment: it rotates.
      await expect(append(log, [command(2, 1, 9_000)])).rejects.toBe(failed);
      await expect(append(log, [command(2, 1)])).rejects.toBe(failed);
      await expect(log.compact(logIndex(1))).rejects.toBe(failed);
      await log.close();
      const after = await openLog(files.crash());
      expect(after.recovered.damage).toBeNull();
      expect([1, 2]).toContain(after.recovered.lastIndex);
    },
  );

  test.each(["remove", "syncDirectory"] as const)(
    "after a compaction whose %s failed it refuses everything",
    async (operation) => {
      const { files } = await severalSegments();
      const { log } = await openLog(files);
      files.failNext(operation, failed);
      await expect(log.compact(logIndex(60))).rejects.toBe(failed);
      await expect(append(log, [command(61, 1)])).rejects.toBe(failed);
      await log.close();
      const after = await openLog(files.crash());
      expect(after.recovered).toMatchObject({ damage: null, lastIndex: 60 });
    },
  );

  test("a write that failed may be there after the restart, or not, and nothing else", async () => {
    const found = new Set<number>();
    for (let seed = 1; seed <= 12; seed += 1) {
      const files = new MemoryFiles({ seed });
      const { log } = await openLog(files, { create: true });
      await append(log, [command(1, 1)]);
      files.failNext("write", failed);
      await expect(append(log, [command(2, 1)])).rejects.toBe(failed);
      const after = await openLog(files.crash());
      expect(after.recovered.damage).toBeNull();
      found.add(after.recovered.lastIndex);
    }
    expect([...found].sort()).toEqual([1, 2]);
  });

  test("room that comes back before it is needed is used", async () => {
    const files = new MemoryFiles({ bytesMax: SEGMENT_BYTES + 5_000 });
    const { log } = await openLog(files, { create: true });
    // Beyond the middle of the segment the next one is prepared, in vain.
    await append(log, [command(1, 1, 9_000)]);
    await append(log, [command(2, 1, 100)]);
    files.setBytesMax(10 * SEGMENT_BYTES);
    for (let at = 3; at <= 8; at += 1) await append(log, [command(at, 1, 9_000)]);
    expect(await readAll(log)).toHaveLength(8);
  });

  test("while a write hangs nothing is promised, and reads go on", async () => {
    const files = new MemoryFiles();
    const { log } = await openLog(files, { create: true });
    await append(log, commands(1, 3, 1));
    const held = files.holdNext("write");
    let isDone = false;
    const pending = log.persist(work(2, 1), encodeEntries([command(4, 2)])).then(() => {
      isDone = true;
    });
    await held.reached;
    expect((await log.read(logIndex(1), logIndex(9), 9_999))?.entries).toHaveLength(3);
    expect([isDone, log.lastIndex, log.hardState]).toEqual([false, 3, hardState(1)]);
    held.release();
    await pending;
    expect([isDone, log.lastIndex, log.hardState]).toEqual([true, 4, hardState(2, 1)]);
  });

  test("entries replaced while they were being read are not given out", async () => {
    const files = new MemoryFiles();
    const { log } = await openLog(files, { create: true });
    await append(log, commands(1, 5, 1));
    const held = files.holdNext("read");
    const reading = log.read(logIndex(1), logIndex(5), 9_999);
    await held.reached;
    await append(log, commands(3, 4, 2));
    held.release();
    expect((await reading)?.entries).toEqual([...commands(1, 2, 1), ...commands(3, 4, 2)]);
  });

  test("segments compacted while they were being read are no error", async () => {
    const { files } = await severalSegments();
    const { log } = await openLog(files);
    const held = files.holdNext("open");
    const reading = log.read(logIndex(1), logIndex(60), 99_999);
    await held.reached;
    await log.compact(logIndex(60));
    held.release();
    expect(await reading).toBeNull();
    await log.persist(work(2), NOTHING);
  });
});
