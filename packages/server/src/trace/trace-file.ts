import { basename, dirname } from "node:path";
import { assert } from "../assert.ts";
import { ServerError, asError } from "../errors.ts";
import type { Files, MonotonicClock, OpenFile, Timer } from "../ports.ts";
import { encodeEnd, TRACE_MAGIC, type TraceEnd } from "./trace-line.ts";
import type { TraceOutput } from "./trace-recording.ts";

export interface TraceFileOptions {
  readonly files: Files;
  readonly clock: MonotonicClock;
  /** Absolute. What stands there becomes `PATH.1`, what stands there `PATH.2`. */
  readonly path: string;
  /** The file becomes no longer. */
  readonly bytesMax: number;
  /** Called at most once, when the trace ends before it is closed or cannot be written; the error if it failed. */
  readonly onEnded: (reason: TraceEnd | Error) => void;
}

/** Lines wait this long for others: a kill loses as much. */
const FLUSH_MS = 100;
/** One write of the file. */
const BLOCK_BYTES = 262_144;
/** What may wait for the disk. */
const PENDING_BYTES_MAX = 33_554_432;
/** Kept for the last line. */
const END_BYTES = 64;

/**
 * A trace on disk. Lines gather and are written behind the loop's back, never durably. It ends at its bound, when the disk does
 * not keep up, and at the first failure; whoever records goes on without it.
 */
export class TraceFile implements TraceOutput {
  readonly #options: TraceFileOptions;
  #first: Iterator<string> | null = null;
  #lines: string[] = [];
  #pendingBytes = 0;
  /** Of everything that was taken. */
  #bytes = 0;
  #position = 0;
  #file: OpenFile | null = null;
  #timer: Timer | null = null;
  #writing: Promise<void> | null = null;
  #isOver = false;
  #isTold = false;

  constructor(options: TraceFileOptions) {
    assert(options.bytesMax > END_BYTES, "trace_has_room_for_its_end");
    this.#options = options;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  begin(lines: Iterable<string>): void {
    assert(this.#first === null && this.#bytes === 0, "trace_begins_once");
    this.#first = lines[Symbol.iterator]();
    this.#writeNow();
  }

  write(line: string): void {
    if (this.#isOver) return;
    const bytes = Buffer.byteLength(line);
    if (this.#pendingBytes + bytes > PENDING_BYTES_MAX) {
      this.#end("behind");
      return;
    }
    if (!this.#take(bytes)) return;
    this.#lines.push(line);
    this.#pendingBytes += bytes;
    if (this.#pendingBytes >= BLOCK_BYTES) this.#writeNow();
    else this.#timer ??= this.#options.clock.after(FLUSH_MS, () => this.#writeNow());
  }

  async close(): Promise<void> {
    if (!this.#isOver) {
      this.#isOver = true;
      this.#push(encodeEnd("stopped"));
    }
    while (this.#lines.length > 0 || this.#writing !== null) {
      this.#writeNow();
      await this.#writing;
    }
  }

  /** False: there is no room, and the trace has ended. */
  #take(bytes: number): boolean {
    if (this.#bytes + bytes + END_BYTES > this.#options.bytesMax) {
      this.#end("full");
      return false;
    }
    this.#bytes += bytes;
    return true;
  }

  #end(reason: TraceEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#push(encodeEnd(reason));
    this.#tell(reason);
    this.#writeNow();
  }

  #tell(reason: TraceEnd | Error): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#options.onEnded(reason);
  }

  #push(line: string): void {
    this.#lines.push(line);
    this.#pendingBytes += line.length;
  }

  #writeNow(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = null;
      // What came while it ended.
      if (this.#lines.length > 0) this.#writeNow();
    });
  }

  /** Writes until nothing waits. Never rejects. */
  async #writeAll(): Promise<void> {
    try {
      if (this.#first === null && this.#lines.length === 0) return;
      this.#file ??= await this.#open();
      for (;;) {
        const block = this.#first === null ? this.#nextBlock() : this.#firstBlock(this.#first);
        if (block === null) break;
        await this.#file.write(this.#position, block);
        this.#position += block.length;
      }
      if (this.#isOver) await this.#closeFile();
    } catch (error) {
      await this.#fail(error);
    }
  }

  /** Of the lines that are drawn. What came after them was counted before them: where they do not fit, it goes. */
  #firstBlock(lines: Iterator<string>): Uint8Array | null {
    const drawn: string[] = [];
    let bytes = 0;
    while (bytes < BLOCK_BYTES) {
      const { value, done } = lines.next();
      if (done === true) {
        this.#first = null;
        break;
      }
      const length = Buffer.byteLength(value);
      if (this.#position + bytes + length + END_BYTES > this.#options.bytesMax) {
        this.#first = null;
        this.#drop();
        this.#isOver = true;
        this.#push(encodeEnd("full"));
        this.#tell("full");
        break;
      }
      this.#bytes += length;
      bytes += length;
      drawn.push(value);
    }
    return drawn.length === 0 ? this.#nextBlock() : Buffer.from(drawn.join(""));
  }

  #nextBlock(): Uint8Array | null {
    if (this.#lines.length === 0) return null;
    let count = 0;
    let chars = 0;
    for (const line of this.#lines) {
      if (count > 0 && chars + line.length > BLOCK_BYTES) break;
      chars += line.length;
      count += 1;
    }
    const block = Buffer.from(this.#lines.slice(0, count).join(""));
    this.#lines = this.#lines.slice(count);
    this.#pendingBytes = this.#lines.length === 0 ? 0 : this.#pendingBytes - block.length;
    return block;
  }

  #drop(): void {
    this.#lines = [];
    this.#pendingBytes = 0;
  }

  async #open(): Promise<OpenFile> {
    const { files, path } = this.#options;
    try {
      await files.makeDirectory(dirname(path));
      await keepEarlier(files, path);
      return await files.open(path, { create: true, durable: false });
    } catch (error) {
      throw withTraceAdvice(error);
    }
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close();
  }

  async #fail(error: unknown): Promise<void> {
    this.#isOver = true;
    this.#first = null;
    this.#drop();
    this.#tell(asError(error));
    try {
      await this.#closeFile();
    } catch {
      // What failed before has been told.
    }
  }
}

/** Nothing was written yet: it is the file that was named, more likely than the disk. */
function withTraceAdvice(error: unknown): unknown {
  if (!(error instanceof ServerError) || error.code !== "STORAGE_FAILED") return error;
  const advice = "name another file with --trace, in a folder that this process may write to";
  return new ServerError(error.code, `${error.text}; ${advice}`, error);
}

/** The trace of the run before is what somebody wants to see after a crash: it is kept, and the one before it. */
async function keepEarlier(files: Files, path: string): Promise<void> {
  const name = basename(path);
  const names = await files.list(dirname(path));
  if (!names.includes(name)) return;
  if (!(await isTrace(files, path))) {
    throw new ServerError("STORAGE_FAILED", `${path} is there already and is no trace`);
  }
  if (names.includes(`${name}.1`)) await files.rename(`${path}.1`, `${path}.2`);
  await files.rename(path, `${path}.1`);
}

/** True also for an empty file: a node was killed before it wrote anything. */
async function isTrace(files: Files, path: string): Promise<boolean> {
  const file = await files.open(path, { create: false, durable: false });
  try {
    const start = await file.read(0, TRACE_MAGIC.length);
    return TRACE_MAGIC.startsWith(new TextDecoder().decode(start));
  } finally {
    await file.close();
  }
}
