import type { SeededRandom } from "./seeded-random.ts";

const SECTOR_BYTES = 512;
const PAGE_BYTES = 4096;
const SECTORS_PER_PAGE = PAGE_BYTES / SECTOR_BYTES;
const ZEROS = new Uint8Array(PAGE_BYTES);

/**
 * One file's content, on the disk and above it: for each sector written since the last sync what the disk still holds.
 * Pages of zeros take no memory, so large preallocated files are cheap.
 */
export class MemoryFile {
  #pages = new Map<number, Uint8Array>();
  /** By sector: its durable content; null for zeros. */
  #unsynced = new Map<number, Uint8Array | null>();
  /** Of those the ones whose write failed: they are shown, and no sync writes them again. */
  readonly #givenUp = new Set<number>();
  /** What the medium does not give back. */
  readonly #broken = new Set<number>();
  #size = 0;
  #durableSize = 0;

  /** The medium does not give it back any more, until it is written anew: a drive has another sector take its place then. */
  breakSector(position: number): void {
    this.#broken.add(Math.floor(position / SECTOR_BYTES));
  }

  /** The same on the disk and above it. */
  copy(): MemoryFile {
    const file = new MemoryFile();
    for (const [page, content] of this.#pages) file.#pages.set(page, content.slice());
    for (const [sector, durable] of this.#unsynced) file.#unsynced.set(sector, durable);
    for (const sector of this.#givenUp) file.#givenUp.add(sector);
    for (const sector of this.#broken) file.#broken.add(sector);
    file.#size = this.#size;
    file.#durableSize = this.#durableSize;
    return file;
  }

  /** Whether all of it can be read. */
  isReadable(position: number, length: number): boolean {
    const end = Math.min(position + length, this.#size);
    for (const sector of this.#broken) {
      if (sector * SECTOR_BYTES < end && (sector + 1) * SECTOR_BYTES > position) return false;
    }
    return true;
  }

  get size(): number {
    return this.#size;
  }

  read(position: number, length: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.#size - position)));
    for (let done = 0; done < bytes.length;) {
      const { page, offset, room } = placeOf(position + done);
      const count = Math.min(room, bytes.length - done);
      const content = this.#pages.get(page);
      if (content !== undefined) bytes.set(content.subarray(offset, offset + count), done);
      done += count;
    }
    return bytes;
  }

  /** Seen by readers at once, durable after a sync. */
  write(position: number, bytes: Uint8Array): void {
    if (this.#broken.size > 0) {
      for (const sector of sectorsOf(position, bytes.length)) this.#broken.delete(sector);
    }
    this.#remember(position, bytes.length);
    this.#put(position, bytes);
    this.#size = Math.max(this.#size, position + bytes.length);
  }

  /** Makes everything durable that is still to be written. */
  sync(): void {
    if (this.#givenUp.size === 0) this.#unsynced.clear();
    else {
      for (const sector of this.#unsynced.keys()) {
        if (!this.#givenUp.has(sector)) this.#unsynced.delete(sector);
      }
    }
    this.#durableSize = this.#size;
  }

  /**
   * The disk did not take these bytes. As with a page cache, readers go on seeing them, and until they are written once more
   * nobody takes them for bytes to be written.
   */
  giveUp(position: number, length: number): void {
    for (const sector of sectorsOf(position, length)) {
      if (this.#unsynced.has(sector)) this.#givenUp.add(sector);
    }
  }

  /** Makes these bytes durable, and the size they need. */
  syncRange(position: number, length: number): void {
    for (const sector of sectorsOf(position, length)) this.#unsynced.delete(sector);
    this.#durableSize = Math.max(this.#durableSize, Math.min(this.#size, position + length));
  }

  /** Power is lost: each sector that was not durable is either as it was or as it was to be. Returns how many are as before. */
  crash(random: SeededRandom): number {
    const size = random.nextBelow(2) === 0 ? this.#durableSize : this.#size;
    let lost = 0;
    for (const [sector, durable] of this.#unsynced) {
      if (random.nextBelow(2) === 0) continue;
      this.#put(sector * SECTOR_BYTES, durable ?? new Uint8Array(SECTOR_BYTES));
      lost += 1;
    }
    this.#unsynced.clear();
    this.#givenUp.clear();
    this.#truncate(size);
    this.#durableSize = size;
    return lost;
  }

  /** Changes the medium itself, without anybody having written. */
  overwrite(position: number, bytes: Uint8Array): void {
    this.#put(position, bytes);
    for (const sector of sectorsOf(position, bytes.length)) {
      this.#unsynced.delete(sector);
      this.#givenUp.delete(sector);
    }
  }

  /** Changes the size on the medium itself: shorter, or longer by zeros. */
  resize(size: number): void {
    for (const sector of this.#unsynced.keys()) {
      if (sector * SECTOR_BYTES >= size) this.#unsynced.delete(sector);
    }
    this.#truncate(size);
    this.#durableSize = size;
  }

  #truncate(size: number): void {
    if (size < this.#size) this.#put(size, new Uint8Array(this.#size - size));
    this.#size = size;
  }

  #remember(position: number, length: number): void {
    for (const sector of sectorsOf(position, length)) {
      this.#givenUp.delete(sector);
      if (this.#unsynced.has(sector)) continue;
      const page = this.#pages.get(Math.floor(sector / SECTORS_PER_PAGE));
      const offset = (sector % SECTORS_PER_PAGE) * SECTOR_BYTES;
      this.#unsynced.set(sector, page?.slice(offset, offset + SECTOR_BYTES) ?? null);
    }
  }

  #put(position: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const { page, offset, room } = placeOf(position + done);
      const part = bytes.subarray(done, done + Math.min(room, bytes.length - done));
      const content = this.#pages.get(page);
      if (content !== undefined) content.set(part, offset);
      else if (Buffer.compare(part, ZEROS.subarray(0, part.length)) !== 0)
        this.#newPage(page).set(part, offset);
      done += part.length;
    }
  }

  #newPage(page: number): Uint8Array {
    const content = new Uint8Array(PAGE_BYTES);
    this.#pages.set(page, content);
    return content;
  }
}

function placeOf(position: number): {
  readonly page: number;
  readonly offset: number;
  readonly room: number;
} {
  const page = Math.floor(position / PAGE_BYTES);
  const offset = position % PAGE_BYTES;
  return { page, offset, room: PAGE_BYTES - offset };
}

function sectorsOf(position: number, length: number): readonly number[] {
  const sectors: number[] = [];
  const end = position + length;
  for (let at = Math.floor(position / SECTOR_BYTES); at * SECTOR_BYTES < end; at += 1) {
    sectors.push(at);
  }
  return sectors;
}
