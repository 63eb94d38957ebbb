import { isStorageFull } from "../errors.ts";
import { reached } from "../points.ts";
import type { Files, OpenFile } from "../ports.ts";
import { isOutOfDescriptors } from "./file-error.ts";
import { encodeSegmentHeader, segmentName, type SegmentHeader } from "./log-format.ts";
import type { RoomWait } from "./room-wait.ts";

/**
 * Zeros are written in pieces, so that a record's write in between does not wait for a whole segment; in few, because each
 * one waits for its turn on a busy node.
 */
const FILL_BYTES = 1_048_576;
const SPARE_NAME = "log-spare.tmp";
const LARGE_NAME = "log-large.tmp";
const TEMPORARY = /^log-.*\.tmp$/u;

/** A file of zeros, durable, waiting for its header and name. */
interface PreparedFile {
  readonly file: OpenFile;
  readonly name: string;
}

type Preparation =
  | { readonly ok: true; readonly prepared: PreparedFile }
  | { readonly ok: false; readonly error: unknown };

/** Makes segments: their zeros ahead of time and in the background, their header before their name. */
export class SegmentMaker {
  readonly #files: Files;
  readonly #directory: string;
  readonly #segmentBytes: number;
  #spare: Promise<Preparation> | null = null;

  constructor(files: Files, directory: string, segmentBytes: number) {
    this.#files = files;
    this.#directory = directory;
    this.#segmentBytes = segmentBytes;
  }

  get segmentBytes(): number {
    return this.#segmentBytes;
  }

  /** Begins to prepare the next segment unless one is there. */
  prepare(): void {
    this.#spare ??= this.#attempt(SPARE_NAME, this.#segmentBytes);
  }

  /** A new segment under its name, both durable; open for durable writes. `room`: what waits for it on a full disk. */
  async make(header: SegmentHeader, room: RoomWait | null): Promise<OpenFile> {
    const take = (): Promise<PreparedFile> => this.#take(header.segmentBytes);
    const { file, name } = await (room === null ? take() : room.run(take));
    try {
      await file.write(0, encodeSegmentHeader(header));
      await this.#files.rename(
        `${this.#directory}/${name}`,
        `${this.#directory}/${segmentName(header.firstSequence)}`,
      );
      await this.#files.syncDirectory(this.#directory);
    } catch (error) {
      await file.close();
      throw error;
    }
    return file;
  }

  /** Waits for what is being prepared and closes it. The file stays behind: the next start removes it. */
  async close(): Promise<void> {
    const spare = await this.#spare;
    if (spare?.ok === true) await spare.prepared.file.close();
    this.#spare = null;
  }

  async #take(bytes: number): Promise<PreparedFile> {
    if (bytes !== this.#segmentBytes) return this.#fill(LARGE_NAME, bytes);
    const spare = await this.#spare;
    this.#spare = null;
    if (spare?.ok === true) return spare.prepared;
    if (spare?.ok === false && !isPassing(spare.error)) throw spare.error;
    if (spare?.ok === false) reached("spare_segment_found_no_room");
    // Nothing was prepared, or there was no room then, on the disk or among the open files: what was begun is gone, and there may
    // be room by now.
    return this.#fill(SPARE_NAME, bytes);
  }

  async #attempt(name: string, bytes: number): Promise<Preparation> {
    try {
      return { ok: true, prepared: await this.#fill(name, bytes) };
    } catch (error) {
      return { ok: false, error };
    }
  }

  async #fill(name: string, bytes: number): Promise<PreparedFile> {
    const path = `${this.#directory}/${name}`;
    await this.#files.remove(path);
    const file = await this.#files.open(path, { create: true, durable: true });
    try {
      const zeros = new Uint8Array(Math.min(FILL_BYTES, bytes));
      for (let at = 0; at < bytes; at += zeros.length) {
        await file.write(at, zeros.subarray(0, Math.min(zeros.length, bytes - at)));
      }
      return { file, name };
    } catch (error) {
      await file.close();
      if (isStorageFull(error)) await this.#files.remove(path);
      throw error;
    }
  }
}

function isPassing(error: unknown): boolean {
  return isStorageFull(error) || isOutOfDescriptors(error);
}

/** Removes what a preparation left behind. */
export async function removePreparations(files: Files, directory: string): Promise<void> {
  for (const name of await files.list(directory)) {
    if (TEMPORARY.test(name)) await files.remove(`${directory}/${name}`);
  }
}
