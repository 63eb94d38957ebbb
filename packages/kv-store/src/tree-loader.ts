import type { DataTree } from "./data-tree.ts";
import type { TreeLimits } from "./limits.ts";

/** Builds a tree out of an image's records. Anything wrong throws an {@link ImageError}. */
export declare class TreeLoader {
  constructor(limits: TreeLimits);
  /** Records in any order, each key once. `value` is copied where it is kept. */
  add(key: string, value: Uint8Array): void;
  /** After the last record: verifies counts and digest. */
  finish(): DataTree;
}
