import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { constants, getPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, expect, test } from "vitest";
import type {
  ImageReply,
  ImageRequest,
  ImageReturn,
  SharedBytes,
} from "./image-thread-protocol.ts";
import { RecordPacker } from "./packed-records.ts";

type Told = ImageReply | ImageReturn;

let folder = "";
let worker: Worker;
let told: Told[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "quorate-image-thread-"));
  told = [];
  worker = new Worker(new URL("../../dist/storage/image-thread.js", import.meta.url), {
    execArgv: [],
  });
  worker.on("message", (message: Told) => told.push(message));
});

afterEach(async () => {
  await worker.terminate();
  rmSync(folder, { recursive: true });
});

/** Resolves when the request with this number is answered: whatever went before it was told by then. */
function answered(id: number): Promise<void> {
  return new Promise((resolve) => {
    worker.on("message", (message: Told) => {
      if (message.id === id) resolve();
    });
  });
}

function ask(request: ImageRequest): void {
  worker.postMessage(request, []);
}

test("memory comes back once its records are taken, unless there is none", async () => {
  const shared: SharedBytes[] = [];
  const packer = new RecordPacker(1_000, (size) => {
    const room = new Uint8Array(new SharedArrayBuffer(size));
    shared.push(room);
    return room;
  });
  packer.add("gone", null);
  const deletions = packer.take();
  packer.add("there", new Uint8Array(700));
  const values = packer.take();
  const opened = answered(1);
  const written = answered(2);
  ask({ kind: "open", id: 1, directory: join(folder, "image"), create: true });
  await opened;
  ask({ kind: "put", batch: 1, records: deletions });
  ask({ kind: "put", batch: 1, records: values });
  ask({ kind: "write", id: 2, batch: 1 });
  await written;
  const rooms = told.flatMap((message) => (message.id === null ? [message.room] : []));
  expect(told.map(({ id }) => id)).toEqual([1, null, 2]);
  expect(rooms.map(({ length }) => length)).toEqual(shared.map(({ length }) => length));
  // The same memory, not a copy of it.
  shared[0]?.fill(7);
  expect(rooms[0]?.at(-1)).toBe(7);
});

test("the thread leaves the processor to the node", async () => {
  const opened = answered(1);
  ask({ kind: "open", id: 1, directory: join(folder, "image"), create: true });
  await opened;
  const tasks = readdirSync("/proc/self/task");
  const nice = tasks.map((task) => niceOf(readFileSync(`/proc/self/task/${task}/stat`, "utf8")));
  expect(nice).toContain(constants.priority.PRIORITY_BELOW_NORMAL);
  expect(getPriority()).toBeLessThan(constants.priority.PRIORITY_BELOW_NORMAL);
});

/** Of a thread, out of what `/proc` says of it (proc(5), field 19). */
function niceOf(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]);
}
