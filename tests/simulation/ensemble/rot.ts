import type { MemoryFiles } from "../../../packages/server/src/memory/memory-files.ts";
import type { MemoryImageStores } from "../../../packages/server/src/memory/memory-image-stores.ts";
import { hasSegment, rotRecord } from "./disk-damage.ts";
import type { DiskPlace } from "./fault-event.ts";

/** What the server of a node stores with. */
export interface Storage {
  readonly files: MemoryFiles;
  readonly images: MemoryImageStores;
}

/** What of all that a node has stored turned while it ran. */
export class Rot {
  #hasBegun = false;
  /** Files of its log in which that was. */
  #segments: string[] = [];

  /** Something did, since it started last. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** What turned is still there: an image is written anew from time to time, and what is oldest of a log is removed. */
  isThere({ files, images }: Storage): boolean {
    const isInLog = this.#segments.some((segment) => hasSegment(files, segment));
    return this.#hasBegun && (isInLog || images.isDamaged);
  }

  /** A bit turns, of its log unless there is an image to turn. Returns what happened; null: nothing. */
  async turn(
    { files, images }: Storage,
    place: DiskPlace,
    isImage: boolean,
  ): Promise<string | null> {
    this.#hasBegun = true;
    if (isImage && images.damage(place.record)) return "a record of its image is damaged";
    const rotten = await rotRecord(files, place);
    if (rotten === null) return null;
    this.#segments.push(rotten.segment);
    return rotten.text;
  }

  /** It starts anew, and makes it good. */
  clear(): void {
    this.#hasBegun = false;
    this.#segments = [];
  }
}
