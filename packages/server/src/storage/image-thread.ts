import { constants, setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { assert } from "../assert.ts";
import type { ImageBatch, ImageStore, ImageView } from "../ports.ts";
import {
  failedReply,
  isRelease,
  type ImageAnswer,
  type ImageQuestion,
  type ImageReply,
  type ImageReturn,
  type ImageRequest,
} from "./image-thread-protocol.ts";
import { LevelImageStores } from "./level-image-store.ts";
import { NodeFiles } from "./node-files.ts";
import { RecordPacker, unpacked, type PackedRecords } from "./packed-records.ts";

const NOTHING: ImageAnswer = { records: null, bytes: 0 };

/** One image in a thread of its own, at the service of `ThreadedImageStores`. */
class ImageThread {
  readonly #send: (message: ImageReply | ImageReturn) => void;
  readonly #stores = new LevelImageStores(new NodeFiles());
  readonly #batches = new Map<number, ImageBatch>();
  readonly #views = new Map<number, ImageView>();
  readonly #checks = new Map<number, AsyncIterator<number>>();
  #store: ImageStore | null = null;
  /** What went wrong with an order: the next questions are answered with it. */
  #failure: unknown = null;

  constructor(send: (message: ImageReply | ImageReturn) => void) {
    this.#send = send;
  }

  onRequest(request: ImageRequest): void {
    switch (request.kind) {
      case "put":
        this.#attempt(() => this.#put(request.batch, request.records));
        return;
      case "view":
        this.#attempt(() => this.#views.set(request.view, this.#open().view()));
        return;
      default:
        this.#answer(request).then(
          (answer) => this.#send({ id: request.id, ok: true, ...answer }),
          (error: unknown) => this.#send(failedReply(request.id, error)),
        );
    }
  }

  async #answer(question: ImageQuestion): Promise<ImageAnswer> {
    if (this.#failure !== null && !isRelease(question)) throw this.#failure;
    switch (question.kind) {
      case "open":
        this.#store = await this.#stores.open(question.directory, { create: question.create });
        return NOTHING;
      case "write":
        await this.#takeBatch(question.batch)?.write();
        return NOTHING;
      case "discard":
        await this.#takeBatch(question.batch)?.discard();
        return NOTHING;
      case "getMany": {
        const values = await this.#open().getMany(question.keys);
        return packed(question.keys.map((key, at) => [key, values[at] ?? null] as const));
      }
      case "next": {
        const view = this.#views.get(question.view);
        assert(view !== undefined, "image_view_open");
        return packed(await view.next(question.countMax, question.bytesMax));
      }
      case "closeView":
        await this.#views.get(question.view)?.close();
        this.#views.delete(question.view);
        return NOTHING;
      case "check":
        return { ...NOTHING, bytes: await this.#check(question.check) };
      case "endCheck":
        await this.#checks.get(question.check)?.return?.();
        this.#checks.delete(question.check);
        return NOTHING;
      case "close":
        await this.#store?.close();
        return NOTHING;
    }
  }

  async #check(number: number): Promise<number> {
    let check = this.#checks.get(number);
    if (check === undefined) {
      check = this.#open().check()[Symbol.asyncIterator]();
      this.#checks.set(number, check);
    }
    const step = await check.next();
    return step.done === true ? 0 : step.value;
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#failure ??= error;
    }
  }

  #put(number: number, records: PackedRecords): void {
    let batch = this.#batches.get(number);
    if (batch === undefined) {
      batch = this.#open().batch();
      this.#batches.set(number, batch);
    }
    for (const [key, value] of unpacked(records)) {
      if (value === null) batch.delete(key);
      else batch.put(key, value);
    }
    // LevelDB holds copies. Deletions alone took no memory that could be used again.
    const { buffer } = records.bytes;
    if (buffer instanceof SharedArrayBuffer) this.#send({ id: null, room: new Uint8Array(buffer) });
  }

  #takeBatch(number: number): ImageBatch | undefined {
    const batch = this.#batches.get(number);
    this.#batches.delete(number);
    return batch;
  }

  #open(): ImageStore {
    assert(this.#store !== null, "image_open");
    return this.#store;
  }
}

function packed(
  records: readonly (readonly [key: string, value: Uint8Array | null])[],
): ImageAnswer {
  const packer = new RecordPacker(
    records.reduce((sum, [, value]) => sum + (value?.length ?? 0), 0),
  );
  for (const [key, value] of records) packer.add(key, value);
  return { ...NOTHING, records: packer.take() };
}

/**
 * The node comes first: where there are not enough cores for both, an image can wait, but not for ever, because the log is
 * kept until it is done: it gets a tenth of a busy core. On Linux threads have priorities of their own; elsewhere the whole
 * process would get this one.
 */
function yieldToNode(): void {
  if (process.platform !== "linux") return;
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // A sandbox may forbid it.
  }
}

/** What changes hands with the message. */
function bytesIn(message: ImageReply | ImageReturn): ArrayBuffer | null {
  const records = message.id !== null && message.ok ? message.records : null;
  return records?.bytes.buffer instanceof ArrayBuffer ? records.bytes.buffer : null;
}

yieldToNode();
const port = parentPort;
assert(port !== null, "image_thread_is_a_worker");
const thread = new ImageThread((message) => {
  const bytes = bytesIn(message);
  port.postMessage(message, bytes === null ? [] : [bytes]);
});
port.on("message", (request: ImageRequest) => thread.onRequest(request));
