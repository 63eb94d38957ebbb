import type { ImageStore, ImageStores } from "../ports.ts";

/** Images in LevelDB. */
export declare class LevelImageStores implements ImageStores {
  open(directory: string, options: { readonly create: boolean }): Promise<ImageStore>;
}
