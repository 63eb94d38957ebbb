import type { ImageStore, ImageStores } from "../ports.ts";
import type { MemoryFiles } from "./memory-files.ts";

/** Images in memory; whether one stands is up to a marker file, so that removing its directory removes it. */
export declare class MemoryImageStores implements ImageStores {
  constructor(files: MemoryFiles);
  open(directory: string, options: { readonly create: boolean }): Promise<ImageStore>;
}
