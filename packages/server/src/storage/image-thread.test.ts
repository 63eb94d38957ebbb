import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ImageReply, ImageRequest, ImageReturn } from "./image-thread-protocol.ts";
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
  const packer = new RecordPacker(1_000);
  packer.add("gone", null);
  const deletions = packer.take();
  packer.add("there", new Uint8Array(700));
  const values = packer.take();
  const bytes = values.bytes.buffer.byteLength;
  const opened = answered(1);
  const written = answered(2);
  ask({ kind: "open", id: 1, directory: join(folder, "image"), create: true });
  await opened;
  ask({ kind: "put", batch: 1, records: deletions });
  ask({ kind: "put", batch: 1, records: values });
  ask({ kind: "write", id: 2, batch: 1 });
  await written;
  const returned = told.map((message) => (message.id === null ? message.room.length : message));
  const done = { ok: true, records: null };
  expect(returned).toEqual([{ id: 1, ...done }, bytes, { id: 2, ...done }]);
});
