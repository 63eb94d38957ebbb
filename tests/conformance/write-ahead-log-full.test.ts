import { describe, expect, test } from "vitest";
import { ManualClock } from "../../packages/server/src/memory/manual-clock.ts";
import { MemoryFiles, type FileStep } from "../../packages/server/src/memory/memory-files.ts";
import { systemError } from "../../packages/server/src/memory/system-error.ts";
import { fileError } from "../../packages/server/src/storage/file-error.ts";
import { PatientFiles } from "../../packages/server/src/storage/patient-files.ts";
import { RoomWait } from "../../packages/server/src/storage/room-wait.ts";
import { SEGMENT_BYTES, append, command, openLog, readAll } from "../support/log-fixture.ts";

function roomOf() {
  const clock = new ManualClock();
  const room = new RoomWait(clock);
  room.begin();
  return { clock, room };
}

/** Files in memory answer within a few turns. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 300; turn += 1) await Promise.resolve();
}

describe("write-ahead log, full disks", () => {
  test("a full disk is told, and after a restart with room the log goes on", async () => {
    const files = new MemoryFiles({ bytesMax: SEGMENT_BYTES + 5_000 });
    const { log } = await openLog(files, { create: true });
    let last = 0;
    const filling = (async () => {
      for (;;) {
        await append(log, [command(last + 1, 1, 900)]);
        last += 1;
      }
    })();
    await expect(filling).rejects.toMatchObject({ code: "STORAGE_FULL" });
    expect(last).toBeGreaterThan(5);
    await expect(append(log, [command(last + 1, 1)])).rejects.toMatchObject({
      code: "STORAGE_FULL",
    });
    await log.close();
    const restarted = files.crash();
    expect((await openLog(restarted)).recovered).toMatchObject({ lastIndex: last, damage: null });
    restarted.setBytesMax(10 * SEGMENT_BYTES);
    const again = await openLog(restarted);
    await append(again.log, [command(last + 1, 1, 9_000)]);
    expect(again.log.lastIndex).toBe(last + 1);
  });

  test("on a full disk a log that may wait goes on once there is room, with nothing lost", async () => {
    const files = new MemoryFiles({ bytesMax: SEGMENT_BYTES + 5_000 });
    const { clock, room } = roomOf();
    const { log } = await openLog(files, { create: true, room });
    let last = 0;
    while (!room.isWaiting) {
      last += 1;
      void append(log, [command(last, 1, 900)]);
      await settled();
    }
    expect(log.lastIndex).toBe(last - 1);
    clock.advance(10_000);
    await settled();
    expect(room.isWaiting).toBe(true);
    files.setBytesMax(10 * SEGMENT_BYTES);
    clock.advance(250);
    await settled();
    expect(room.isWaiting).toBe(false);
    expect(log.lastIndex).toBe(last);
    await append(log, [command(last + 1, 1, 900)]);
    expect((await readAll(log)).map(({ index }) => index)).toHaveLength(last + 1);
    await log.close();
    const { recovered } = await openLog(files.crash());
    expect(recovered).toMatchObject({ lastIndex: last + 1, damage: null, torn: 0 });
  });

  test("a log that waits for room is let go", async () => {
    const files = new MemoryFiles({ bytesMax: SEGMENT_BYTES + 5_000 });
    const { room } = roomOf();
    const { log } = await openLog(files, { create: true, room });
    let last = 0;
    let waiting: Promise<void> = Promise.resolve();
    while (!room.isWaiting) {
      last += 1;
      waiting = append(log, [command(last, 1, 900)]);
      waiting.catch(() => undefined);
      await settled();
    }
    room.end();
    await expect(waiting).rejects.toMatchObject({ code: "STORAGE_FULL" });
    await log.close();
    const { recovered } = await openLog(files.crash());
    expect(recovered).toMatchObject({ lastIndex: last - 1, damage: null });
  });
});

describe("write-ahead log, no more files may be opened", () => {
  /** Everything that opens a file or a directory. */
  const OPENING = new Set(["open", "list", "readWhole", "syncDirectory"]);

  function emfile({ operation, path }: FileStep): Promise<void> | null {
    if (!OPENING.has(operation)) return null;
    const cause = systemError("EMFILE");
    return Promise.reject(fileError(operation, path, cause));
  }

  test("it goes on once they may, with nothing lost, and so does who reads it", async () => {
    const memory = new MemoryFiles();
    const clock = new ManualClock();
    const wait = new RoomWait(clock, "openFiles");
    const { log } = await openLog(new PatientFiles(memory, wait), { create: true });
    wait.begin();
    let last = 0;
    while (last < 20) {
      last += 1;
      await append(log, [command(last, 1, 900)]);
    }
    memory.setOnStep(emfile);
    let isRead = false;
    const reading = readAll(log).then((entries) => {
      isRead = true;
      return entries;
    });
    // Until the segment is full that it has open.
    while (log.lastIndex === last) {
      last += 1;
      void append(log, [command(last, 1, 900)]);
      await settled();
    }
    clock.advance(10_000);
    await settled();
    expect([wait.isWaiting, isRead, log.lastIndex]).toEqual([true, false, last - 1]);
    memory.setOnStep(null);
    for (let pauses = 0; pauses < 10; pauses += 1) {
      clock.advance(250);
      await settled();
    }
    expect([wait.isWaiting, log.lastIndex]).toEqual([false, last]);
    expect((await reading).length).toBeGreaterThanOrEqual(20);
    await append(log, [command(last + 1, 1, 900)]);
    await log.close();
    const { recovered } = await openLog(memory.crash());
    expect(recovered).toMatchObject({ lastIndex: last + 1, damage: null, torn: 0 });
  });
});
