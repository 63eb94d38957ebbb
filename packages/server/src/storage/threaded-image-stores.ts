import { Worker } from "node:worker_threads";
import { ServerError, isDamage } from "../errors.ts";
import type { ImageBatch, ImageStore, ImageStores, ImageView } from "../ports.ts";
import {
  isRelease,
  type ImageAnswer,
  type ImageOrder,
  type ImageQuestion,
  type ImageReply,
  type ImageReturn,
  type SharedBytes,
} from "./image-thread-protocol.ts";
import { RecordPacker, unpacked } from "./packed-records.ts";

/** A question before it has its number. */
type Unnumbered<Question = ImageQuestion> = Question extends ImageQuestion
  ? Omit<Question, "id">
  : never;

interface Waiting {
  readonly kind: ImageQuestion["kind"];
  readonly resolve: (answer: ImageAnswer) => void;
  readonly reject: (error: ServerError) => void;
}

/** Records of a batch are handed over in pieces of about this size. */
const PIECE_BYTES = 262_144;
const PIECE_RECORDS_MAX = 1_024;
/** Buffers that came back and are kept: while the thread works on some, others are filled. */
const ROOMS_MAX = 8;

/**
 * Images in LevelDB, each in a thread of its own. LevelDB takes a record into a batch within the call, and a batch of 32
 * MiB grows by copying all of it: on the node's own thread that stood still for up to a second of a busy machine, at every
 * checkpoint of large values. Here the node only fills buffers that the thread reaches too.
 */
export class ThreadedImageStores implements ImageStores {
  /** Fails as `LevelImageStores.open` does. */
  async open(directory: string, options: { readonly create: boolean }): Promise<ImageStore> {
    const thread = new Thread();
    try {
      await thread.ask({ kind: "open", directory, create: options.create });
      return new ThreadedImageStore(thread);
    } catch (error) {
      await thread.end();
      throw error;
    }
  }
}

class ThreadedImageStore implements ImageStore {
  readonly #thread: Thread;
  #batches = 0;
  #views = 0;
  #checks = 0;
  #closed: Promise<void> | null = null;

  constructor(thread: Thread) {
    this.#thread = thread;
  }

  batch(): ImageBatch {
    this.#thread.refuse();
    this.#batches += 1;
    const batch = this.#batches;
    const packer = new RecordPacker(PIECE_BYTES, (bytes) => this.#thread.takeRoom(bytes));
    const flush = (): void => {
      if (packer.count > 0) this.#thread.hand({ kind: "put", batch, records: packer.take() });
    };
    const add = (key: string, value: Uint8Array | null): void => {
      packer.add(key, value);
      if (packer.usedBytes >= PIECE_BYTES || packer.count >= PIECE_RECORDS_MAX) flush();
    };
    return {
      put: (key, value) => add(key, value),
      delete: (key) => add(key, null),
      write: async () => {
        flush();
        await this.#thread.ask({ kind: "write", batch });
      },
      discard: async () => {
        await this.#thread.ask({ kind: "discard", batch });
      },
    };
  }

  async getMany(keys: readonly string[]): Promise<readonly (Uint8Array | null)[]> {
    const { records } = await this.#thread.ask({ kind: "getMany", keys });
    return records === null ? [] : [...unpacked(records)].map(([, value]) => value);
  }

  view(): ImageView {
    this.#thread.refuse();
    this.#views += 1;
    const view = this.#views;
    this.#thread.hand({ kind: "view", view });
    return {
      next: async (countMax, bytesMax) => {
        const { records } = await this.#thread.ask({ kind: "next", view, countMax, bytesMax });
        const page: (readonly [key: string, value: Uint8Array])[] = [];
        if (records === null) return page;
        for (const [key, value] of unpacked(records)) if (value !== null) page.push([key, value]);
        return page;
      },
      close: async () => {
        await this.#thread.ask({ kind: "closeView", view });
      },
    };
  }

  async *check(): AsyncGenerator<number, void> {
    this.#checks += 1;
    const check = this.#checks;
    try {
      for (;;) {
        const { bytes } = await this.#thread.ask({ kind: "check", check });
        if (bytes === 0) return;
        yield bytes;
      }
    } finally {
      await this.#thread.ask({ kind: "endCheck", check });
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    try {
      await this.#thread.ask({ kind: "close" });
    } finally {
      await this.#thread.end();
    }
  }
}

/** The way to one image's thread: requests in order, answers by number. */
class Thread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  /**
   * Memory that both threads reach, and that the other one is done with: fresh one costs more than what is copied into it.
   * It is shared, not handed over: a buffer that is handed over is detached here, and with the first that ever is the engine
   * throws away all optimized code that relies on there being none. A busy node stood still for more than a second then.
   */
  #rooms: SharedBytes[] = [];
  #id = 0;
  #failure: ServerError | null = null;
  #isGone = false;

  constructor() {
    // Whatever this process was told of how to load sources does not concern what is built.
    this.#worker = new Worker(entry(), { execArgv: [] });
    // As long as nothing is asked of it an image keeps no process alive.
    this.#worker.unref();
    this.#worker.on("message", (message: ImageReply | ImageReturn) => {
      if (message.id !== null) this.#onReply(message);
      else if (this.#rooms.length < ROOMS_MAX) this.#rooms.push(message.room);
    });
    this.#worker.on("error", (error) => {
      const text = error instanceof Error ? error.message : String(error);
      this.#fail(new ServerError("STORAGE_FAILED", `the image's thread: ${text}`, error));
    });
    this.#worker.on("exit", () => {
      this.#fail(new ServerError("STORAGE_FAILED", "the image's thread ended"));
    });
  }

  takeRoom(bytes: number): SharedBytes {
    const room = this.#rooms.pop();
    return room !== undefined && room.length >= bytes ? room : sharedBytes(bytes);
  }

  /** Throws once the thread has ended. */
  refuse(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  hand(order: ImageOrder): void {
    this.refuse();
    this.#worker.postMessage(order, []);
  }

  /**
   * Fails like the one before it if that failed: the first error of an image is its last. Only what lets go of something is
   * asked nevertheless, unless everything went with the thread.
   */
  async ask(question: Unnumbered): Promise<ImageAnswer> {
    if (!isRelease(question)) this.refuse();
    else if (this.#isGone) return { records: null, bytes: 0 };
    return this.#ask(question);
  }

  #ask(question: Unnumbered): Promise<ImageAnswer> {
    this.#id += 1;
    const id = this.#id;
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) this.#worker.ref();
      this.#waiting.set(id, { kind: question.kind, resolve, reject });
      this.#worker.postMessage({ ...question, id }, []);
    });
  }

  async end(): Promise<void> {
    this.#failure ??= new ServerError("STOPPED", "the image was closed");
    await this.#worker.terminate();
  }

  #onReply(reply: ImageReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (reply.ok) return waiting?.resolve(reply);
    const error = new ServerError(reply.code, reply.text);
    // Checks and views read beside LevelDB: that they could not, for want of descriptors, say, says nothing of the image. Where
    // it does, the next question is answered with it.
    const isBeside = waiting?.kind === "check" || waiting?.kind === "next";
    if (isBeside && !isDamage(error)) return waiting.reject(error);
    this.#failure ??= error;
    waiting?.reject(this.#failure);
  }

  #fail(error: ServerError): void {
    this.#isGone = true;
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}

function sharedBytes(bytes: number): SharedBytes {
  return new Uint8Array(new SharedArrayBuffer(bytes));
}

/** A thread runs what the compiler made, also where this very file is run as it was written. */
function entry(): URL {
  const isSource = import.meta.url.endsWith(".ts");
  return new URL(
    isSource ? "../../dist/storage/image-thread.js" : "./image-thread.js",
    import.meta.url,
  );
}
