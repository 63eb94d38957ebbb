import { logIndex } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import type { ServerError } from "../../packages/server/src/errors.ts";
import { MemoryFiles } from "../../packages/server/src/memory/memory-files.ts";
import { systemError } from "../../packages/server/src/memory/system-error.ts";
import { fileError } from "../../packages/server/src/storage/file-error.ts";
import type { WriteAheadLog } from "../../packages/server/src/storage/write-ahead-log.ts";
import { DIRECTORY, append, command, openLog } from "../support/log-fixture.ts";

const SECTOR = 512;
const noPause = (): Promise<void> => Promise.resolve();

async function severalSegments() {
  const files = new MemoryFiles();
  const { log } = await openLog(files, { create: true });
  for (let at = 1; at <= 60; at += 1) await append(log, [command(at, 1, 900)]);
  const names = (await files.list(DIRECTORY)).filter((name) => name.endsWith(".wal"));
  expect(names.length).toBeGreaterThan(2);
  return { files, log, names };
}

async function flip(files: MemoryFiles, name: string, position: number): Promise<void> {
  const file = await files.open(`${DIRECTORY}/${name}`, { create: false, durable: true });
  const [byte = 0] = await file.read(position, 1);
  await file.write(position, Uint8Array.of(byte ^ 0x10));
  await file.close();
}

function failure(operation: string, code: string): ServerError {
  return fileError(operation, DIRECTORY, systemError(code));
}

async function found(log: WriteAheadLog): Promise<string | null> {
  const damage = await log.scrub(noPause);
  return damage === null ? null : `${damage.kind} ${damage.segment}`;
}

describe("a log that is in use", () => {
  test("is found whole, and everything in it was read", async () => {
    const { log } = await severalSegments();
    let bytes = 0;
    const consume = (count: number): Promise<void> => {
      bytes += count;
      return Promise.resolve();
    };
    expect(await log.scrub(consume)).toBeNull();
    expect(bytes).toBeGreaterThan(60 * 900);
    await append(log, [command(61, 1)]);
    expect(await log.scrub(consume)).toBeNull();
    await log.close();
  });

  test.each([
    ["its header", 20, "segment_header"],
    ["a record", SECTOR + 300, "record"],
    ["what follows a record in its last sector", 3 * SECTOR - 1, null],
  ] as const)("is found damaged in %s, in any of its files", async (_where, position, kind) => {
    const { files, log, names } = await severalSegments();
    for (const name of names.slice(0, -1)) {
      await flip(files, name, position);
      expect(await found(log)).toBe(kind === null ? null : `${kind} ${name}`);
      await flip(files, name, position);
    }
    await log.close();
  });

  test("is found damaged where a segment's seal changed, and by the next start as well", async () => {
    const { files, log, names } = await severalSegments();
    const [first = ""] = names;
    const file = await files.open(`${DIRECTORY}/${first}`, { create: false, durable: true });
    const size = await file.size();
    await file.close();
    await flip(files, first, size - SECTOR);
    expect(await found(log)).toBe(`segment_header ${first}`);
    await log.close();
    const { log: again, recovered } = await openLog(files);
    expect(recovered.damage).toMatchObject({ kind: "segment_header", segment: first });
    await again.close();
  });

  test("is whole where a segment has no seal yet, or got none before a crash: the next one says where it ends", async () => {
    const { files, log, names } = await severalSegments();
    for (const name of names.slice(0, -1)) {
      const file = await files.open(`${DIRECTORY}/${name}`, { create: false, durable: true });
      await file.write((await file.size()) - SECTOR, new Uint8Array(SECTOR));
      await file.close();
    }
    expect(await found(log)).toBeNull();
    await log.close();
    const { log: again, recovered } = await openLog(files);
    expect([recovered.damage, await found(again)]).toEqual([null, null]);
    await again.close();
  });

  test("is found damaged where the record that was written last changed: nothing here is torn", async () => {
    const files = new MemoryFiles();
    const { log } = await openLog(files, { create: true });
    await append(log, [command(1, 1, 300)]);
    const [name = ""] = (await files.list(DIRECTORY)).filter((each) => each.endsWith(".wal"));
    await flip(files, name, SECTOR + 200);
    expect(await found(log)).toBe(`record ${name}`);
    await log.close();
  });

  test("may go on and be compacted while it is read", async () => {
    const { log, names } = await severalSegments();
    let isFirst = true;
    const damage = await log.scrub(async () => {
      if (!isFirst) return;
      isFirst = false;
      for (let at = 61; at <= 90; at += 1) await append(log, [command(at, 1, 900)]);
      await log.compact(logIndex(60));
    });
    expect(damage).toBeNull();
    expect(log.firstIndex).toBeGreaterThan(30);
    expect(names.length).toBeGreaterThan(2);
    await log.close();
  });

  test.each(["read", "open", "size", "list"] as const)(
    "is damaged where the medium cannot %s it, now or at the next start",
    async (operation) => {
      const { files, log } = await severalSegments();
      if (operation === "read" || operation === "open") {
        files.failNext(operation, failure(operation, "EIO"));
        await expect(log.scrub(noPause)).rejects.toMatchObject({ code: "LOG_CORRUPT" });
      }
      if (operation === "open") {
        files.failNext(operation, failure(operation, "EIO"));
        await expect(log.read(log.firstIndex, log.lastIndex, 1_000)).rejects.toMatchObject({
          code: "LOG_CORRUPT",
        });
      }
      // What could not be read once is not the log's last word.
      expect(await log.scrub(noPause)).toBeNull();
      await append(log, [command(61, 1)]);
      await log.close();
      files.failNext(operation, failure(operation, "EIO"));
      const opened = openLog(files);
      if (operation === "list") await expect(opened).rejects.toMatchObject({ code: "LOG_CORRUPT" });
      else expect((await opened).recovered.damage).not.toBeNull();
    },
  );

  test("is not damaged for want of descriptors", async () => {
    const { files, log } = await severalSegments();
    files.failNext("open", failure("open", "EMFILE"));
    await expect(log.scrub(noPause)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    await log.close();
    files.failNext("open", failure("open", "EMFILE"));
    await expect(openLog(files)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  });

  test("is not damaged by a write that the medium does not take", async () => {
    const { files, log } = await severalSegments();
    files.failNext("write", failure("write", "EIO"));
    await expect(append(log, [command(61, 1)])).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    await log.close();
    files.failNext("write", failure("write", "EIO"));
    await expect(openLog(files)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  });

  test("fails with what its throttle fails with", async () => {
    const { log } = await severalSegments();
    await expect(log.scrub(() => Promise.reject(new Error("enough")))).rejects.toThrow("enough");
    await log.close();
  });
});
