import { logIndex } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { MemoryFiles } from "../../packages/server/src/memory/memory-files.ts";
import { scanLog, type LogScanItem } from "../../packages/server/src/storage/log-scan.ts";
import {
  DIRECTORY,
  SEGMENT_BYTES,
  append,
  command,
  openLog,
  readAll,
} from "../support/log-fixture.ts";

const SECTOR = 512;

async function scanned(files: MemoryFiles): Promise<readonly LogScanItem[]> {
  const items: LogScanItem[] = [];
  for await (const item of scanLog(files, DIRECTORY)) items.push(item);
  return items;
}

type Ok = Extract<LogScanItem, { status: "ok" }>;

/** So many records of one entry each. */
async function logOf(count: number) {
  const files = new MemoryFiles();
  const { log } = await openLog(files, { create: true });
  for (let at = 1; at <= count; at += 1) await append(log, [command(at, 1, 900)]);
  await log.close();
  const items = await scanned(files);
  const records = items.filter((item): item is Ok => item.status === "ok");
  expect(records).toHaveLength(count);
  const segments = [...new Set(records.map(({ segment }) => segment))];
  return { files, records, segments, path: `${DIRECTORY}/${segments[0]}` };
}

describe("a log of which the medium does not give one sector back", () => {
  test("is whole up to there, and refuses what comes, wherever that is", async () => {
    const { records } = await logOf(5);
    for (let position = 0; position < SEGMENT_BYTES; position += SECTOR) {
      const { files, path } = await logOf(5);
      files.breakSector(path, position);
      const { log, recovered } = await openLog(files);
      const whole = records.filter((record) => record.position + record.bytes <= position);
      const expected = position < SECTOR ? 0 : whole.length;
      expect(recovered.records, `sector at ${position}`).toBe(expected);
      expect(recovered.damage).toMatchObject({
        kind: "unreadable",
        message: expect.stringContaining("EIO"),
      });
      expect(await readAll(log)).toHaveLength(expected);
      await expect(append(log, [command(6, 1)])).rejects.toMatchObject({ code: "LOG_CORRUPT" });
      await log.close();
    }
  });

  test("is read up to there while it is in use", async () => {
    const { files, records, path } = await logOf(5);
    const { log } = await openLog(files);
    files.breakSector(path, records[3]!.position);
    expect((await log.read(logIndex(1), logIndex(3), 9_999))?.entries).toHaveLength(3);
    await expect(log.read(logIndex(1), logIndex(4), 9_999)).rejects.toMatchObject({
      code: "LOG_CORRUPT",
    });
    await log.close();
  });

  test("shows what stands before it, and what stands in the segments behind", async () => {
    const { records, segments } = await logOf(60);
    expect(segments.length).toBeGreaterThan(3);
    for (const at of [0, SECTOR]) {
      const { files } = await logOf(60);
      files.breakSector(`${DIRECTORY}/${segments[1]}`, at);
      const items = await scanned(files);
      const damage = items.filter(({ status }) => status !== "ok");
      expect(damage).toEqual([
        {
          status: "corrupt",
          segment: segments[1],
          position: at,
          message: expect.stringContaining("EIO"),
        },
      ]);
      const elsewhere = records.filter(({ segment }) => segment !== segments[1]);
      expect(items.length - damage.length).toBe(elsewhere.length);
    }
  });
});

describe("a segment whose file has another size than it was made with", () => {
  test.each([
    ["shorter, within a record", 700, "a segment that is cut short", 0],
    ["shorter, between records", "end", "a segment that is cut short", 1],
    ["shorter, behind its records", 12_288, "a segment that is cut short", 5],
    ["longer", SEGMENT_BYTES + 1, "a segment that is longer than it was made", 5],
  ] as const)("is damaged: %s", async (_, size, message, whole) => {
    const { files, records, path } = await logOf(5);
    const bytes = size === "end" ? records[1]!.position : size;
    files.resize(path, bytes);
    const { log, recovered } = await openLog(files);
    expect(recovered).toMatchObject({
      records: whole,
      torn: 0,
      damage: { kind: "segment_size", message },
    });
    expect(await readAll(log)).toHaveLength(whole);
    await log.close();
    const items = await scanned(files);
    expect(items.map(({ status }) => status)).toEqual([
      ...Array.from({ length: whole }, () => "ok"),
      "corrupt",
    ]);
    expect(items.at(-1)).toMatchObject({ message });
  });

  test("is not said to end in an unfinished write, which the next start would cut off", async () => {
    const { files, records, path } = await logOf(5);
    const last = records.at(-1)!;
    files.overwrite(path, last.position + SECTOR, new Uint8Array(SECTOR));
    expect((await scanned(files)).at(-1)).toMatchObject({ status: "torn" });
    files.resize(path, SEGMENT_BYTES + SECTOR);
    const items = await scanned(files);
    expect(items.map(({ status }) => status)).toEqual(["ok", "ok", "ok", "ok", "corrupt"]);
  });

  test("is found with few reads", async () => {
    const { files, records, path } = await logOf(5);
    files.resize(path, records.at(-1)!.position + 2 * SECTOR * 3);
    let reads = 0;
    files.setOnStep(({ operation, phase }) => {
      if (operation === "read" && phase === "before") reads += 1;
      return null;
    });
    await openLog(files);
    expect(reads).toBeLessThan(10);
  });
});
