import { ServerError, isDamage } from "../errors.ts";
import type { Files, ImageBatch, ImageStore, ImageStores, ImageView, OpenFile } from "../ports.ts";
import { withDamagingReads } from "../storage/damaging-reads.ts";
import type { MemoryFiles } from "./memory-files.ts";
import { compareUtf8 } from "./utf8-order.ts";

const MARKER_FILE = "CURRENT";
const MARKER_BYTES = 8;

/** One image's content after each batch that may still turn out to be the last durable one. */
interface Content {
  values: ReadonlyMap<string, Uint8Array>;
  version: number;
  /** Written, and perhaps lost with the next crash. */
  pending: { readonly version: number; readonly values: ReadonlyMap<string, Uint8Array> } | null;
  isOpen: boolean;
}

/** The contents of all images of one disk: hand it on when the disk is used again after a crash. */
export class MemoryImages {
  readonly contents: Content[] = [];
  /** Values that are not what was stored any more; whoever reads one finds its checksum wrong. */
  readonly damaged: WeakSet<Uint8Array>;

  constructor(damaged: WeakSet<Uint8Array> = new WeakSet()) {
    this.damaged = damaged;
  }

  /** As they are now; nobody has one of them open. */
  copy(): MemoryImages {
    const images = new MemoryImages(this.damaged);
    for (const content of this.contents) images.contents.push({ ...content, isOpen: false });
    return images;
  }
}

/**
 * Images in memory. A small file in an image's directory tells which image it is and which batch was its last, and it is
 * written through the given files: so an image goes and moves with its directory, and a crash, a full disk, a failure or a
 * wait of those files hits images as well.
 */
export class MemoryImageStores implements ImageStores {
  readonly #files: Files;
  readonly #images: MemoryImages;

  constructor(files: MemoryFiles, images: MemoryImages = new MemoryImages()) {
    this.#files = withDamagingReads(files, "IMAGE_CORRUPT");
    this.#images = images;
  }

  /** The same images after a crash of the files. */
  afterCrash(files: MemoryFiles): MemoryImageStores {
    for (const content of this.#images.contents) content.isOpen = false;
    return new MemoryImageStores(files, this.#images);
  }

  /** The same images for a copy of the files: from here on each of the two goes its own way. */
  copyFor(files: MemoryFiles): MemoryImageStores {
    return new MemoryImageStores(files, this.#images.copy());
  }

  /** One of the images that are in use has a damaged record. */
  get isDamaged(): boolean {
    const { contents, damaged } = this.#images;
    return contents.some(
      ({ isOpen, values }) => isOpen && [...values.values()].some((value) => damaged.has(value)),
    );
  }

  /** A record of the image that is in use, counted from 0 to 1 through all of them, is damaged. False: there is none. */
  damage(record: number): boolean {
    const content = this.#images.contents.findLast(({ isOpen }) => isOpen);
    const values = [...(content?.values.values() ?? [])];
    const value = values[Math.min(values.length - 1, Math.floor(record * values.length))];
    if (value === undefined) return false;
    this.#images.damaged.add(value);
    return true;
  }

  async open(directory: string, options: { readonly create: boolean }): Promise<ImageStore> {
    const path = `${directory}/${MARKER_FILE}`;
    const exists = (await this.#files.readWhole(path)) !== null;
    if (options.create) {
      if (exists) throw new ServerError("STORAGE_FAILED", `${directory} holds an image already`);
      await this.#create(directory);
    } else if (!exists) {
      throw new ServerError("IMAGE_CORRUPT", `${directory} holds no image`);
    }
    const marker = await this.#files.open(path, { create: false, durable: true });
    const bytes = await marker.read(0, MARKER_BYTES);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const content = this.#images.contents[view.getUint32(0, true)];
    if (content === undefined) throw new ServerError("IMAGE_CORRUPT", `${directory} is no image`);
    if (content.isOpen) throw new ServerError("STORAGE_LOCKED", `${directory} is in use`);
    settle(content, view.getUint32(4, true));
    content.isOpen = true;
    return new MemoryImageStore(this.#images, content, marker);
  }

  async #create(directory: string): Promise<void> {
    await this.#files.makeDirectory(directory);
    const id = this.#images.contents.length;
    this.#images.contents.push({ values: new Map(), version: 0, pending: null, isOpen: false });
    const path = `${directory}/${MARKER_FILE}`;
    const marker = await this.#files.open(path, { create: true, durable: true });
    await marker.write(0, markerOf(id, 0));
    await marker.close();
    await this.#files.syncDirectory(directory);
  }
}

class MemoryImageStore implements ImageStore {
  readonly #images: MemoryImages;
  readonly #content: Content;
  readonly #marker: OpenFile;
  #sorted: readonly (readonly [key: string, value: Uint8Array])[] | null = null;
  #failure: unknown = null;

  constructor(images: MemoryImages, content: Content, marker: OpenFile) {
    this.#images = images;
    this.#content = content;
    this.#marker = marker;
  }

  batch(): ImageBatch {
    this.#refuse();
    let changes: { readonly key: string; readonly value: Uint8Array | null }[] = [];
    return {
      put: (key, value) => void changes.push({ key, value: value.slice() }),
      delete: (key) => void changes.push({ key, value: null }),
      write: () => this.#write(changes),
      discard: async () => {
        changes = [];
      },
    };
  }

  async getMany(keys: readonly string[]): Promise<readonly (Uint8Array | null)[]> {
    this.#refuse();
    return keys.map((key) => {
      const value = this.#content.values.get(key);
      return value === undefined ? null : this.#checked(key, value);
    });
  }

  view(): ImageView {
    this.#refuse();
    this.#sorted ??= [...this.#content.values].sort(([a], [b]) => compareUtf8(a, b));
    const entries = this.#sorted;
    let at = 0;
    return {
      next: async (countMax, bytesMax) => {
        this.#refuse();
        const page: (readonly [string, Uint8Array])[] = [];
        for (let bytes = 0; page.length < countMax && bytes <= bytesMax; at += 1) {
          const entry = entries[at];
          if (entry === undefined) break;
          bytes += entry[0].length + entry[1].length;
          page.push([entry[0], this.#checked(entry[0], entry[1])]);
        }
        return page;
      },
      close: async () => {},
    };
  }

  async *check(): AsyncGenerator<number, void> {
    this.#refuse();
    try {
      const { length } = await this.#marker.read(0, MARKER_BYTES);
      if (length < MARKER_BYTES) throw new ServerError("IMAGE_CORRUPT", "the image's file is cut");
      yield length;
    } catch (error) {
      if (isDamage(error)) this.#failure ??= error;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#failure ??= new ServerError("STOPPED", "the image was closed");
    this.#content.isOpen = false;
    await this.#marker.close();
  }

  async #write(
    changes: readonly { readonly key: string; readonly value: Uint8Array | null }[],
  ): Promise<void> {
    this.#refuse();
    const content = this.#content;
    const values = new Map(content.values);
    for (const { key, value } of changes) {
      if (value === null) values.delete(key);
      else values.set(key, value);
    }
    const version = content.version + 1;
    content.pending = { version, values };
    try {
      await this.#marker.write(0, markerOf(this.#images.contents.indexOf(content), version));
    } catch (error) {
      this.#failure = error;
      throw error;
    }
    settle(content, version);
    this.#sorted = null;
  }

  #checked(key: string, value: Uint8Array): Uint8Array {
    if (this.#images.damaged.has(value)) {
      this.#failure ??= new ServerError("IMAGE_CORRUPT", `the value of ${key} changed on disk`);
      throw this.#failure;
    }
    return value.slice();
  }

  #refuse(): void {
    if (this.#failure !== null) throw this.#failure;
  }
}

function settle(content: Content, version: number): void {
  if (content.pending?.version === version) {
    content.values = content.pending.values;
    content.version = version;
  }
  content.pending = null;
}

function markerOf(id: number, version: number): Uint8Array {
  const bytes = new Uint8Array(MARKER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, id, true);
  view.setUint32(4, version, true);
  return bytes;
}
