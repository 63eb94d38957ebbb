import { expect, test } from "vitest";
import { ManualClock } from "../memory/manual-clock.ts";
import { MemoryFiles } from "../memory/memory-files.ts";
import { systemError } from "../memory/system-error.ts";
import { fileError } from "./file-error.ts";
import { PatientFiles } from "./patient-files.ts";
import { RoomWait } from "./room-wait.ts";

const PATH = "/data/a";

async function setUp() {
  const memory = new MemoryFiles();
  await memory.makeDirectory("/data");
  const clock = new ManualClock();
  const wait = new RoomWait(clock, "openFiles");
  const files = new PatientFiles(memory, wait);
  /** Null: as many files as anybody likes. */
  const limit = (code: string | null): void =>
    memory.setOnStep(
      code === null
        ? null
        : ({ operation, path }) => {
            const isOpening = ["open", "list", "readWhole", "syncDirectory"].includes(operation);
            const cause = systemError(code);
            return isOpening ? Promise.reject(fileError(operation, path, cause)) : null;
          },
    );
  return { clock, files, limit, wait };
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
}

test.each(["EMFILE", "ENFILE"])("what meets %s waits until files can be opened", async (code) => {
  const { clock, files, limit, wait } = await setUp();
  wait.begin();
  limit(code);
  const opening = files.open(PATH, { create: true, durable: true });
  const listing = files.list("/data");
  clock.advance(10_000);
  await settled();
  expect(wait.isWaiting).toBe(true);
  limit(null);
  // Both at once: neither takes the other's pause away.
  for (let pause = 0; pause < 2; pause += 1) {
    clock.advance(250);
    await settled();
  }
  await (await opening).close();
  expect(await listing).toEqual(["a"]);
  expect(wait.isWaiting).toBe(false);
});

test("what waits is let go when the node stops, and nothing waits before it runs", async () => {
  const { files, limit, wait } = await setUp();
  limit("EMFILE");
  const tooEarly = files.list("/data");
  await expect(tooEarly).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  wait.begin();
  const waiting = [files.list("/data"), files.syncDirectory("/data"), files.readWhole(PATH)];
  await settled();
  expect(wait.isWaiting).toBe(true);
  wait.end();
  for (const each of waiting) {
    await expect(each).rejects.toMatchObject({ code: "STORAGE_FAILED", message: /EMFILE/ });
  }
  expect(wait.isWaiting).toBe(false);
});

test("any other error is one at once", async () => {
  const { files, limit, wait } = await setUp();
  wait.begin();
  limit("EACCES");
  await expect(files.list("/data")).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  expect(wait.isWaiting).toBe(false);
});
