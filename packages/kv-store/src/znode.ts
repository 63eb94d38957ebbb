import { type Hasher, ITEM } from "./digest.ts";
import type { Mark } from "./dirty-list.ts";
import type { Stat } from "./protocol/index.ts";
import type { SortedNames } from "./sorted-names.ts";

/** How the contenders of a lock directory are named, so that all of them see one another. */
export type ContenderFormat = "quorate";

/** What the image holds of a znode; path and child count follow from keys. */
export interface ZnodeImage {
  readonly data: Uint8Array;
  readonly stat: Stat;
  readonly created: number;
  readonly contenderFormat: ContenderFormat | null;
}

/** One node of the tree. `data` and `stat` are replaced, never written to: events and replies share them. */
export interface Znode {
  readonly path: string;
  /** Null for "/". */
  readonly parent: Znode | null;
  data: Uint8Array;
  stat: Stat;
  /** Children ever created: the number of the next sequential one. */
  created: number;
  /** Paths of the direct children: whole ones, which exist anyway, where names would be a million more strings. */
  children: SortedNames | null;
  /** Of a lock directory, else null. Its children are contenders, so ascending names are ascending czxids. */
  contenderFormat: ContenderFormat | null;
  /** Hash lanes of path and data, and of all of it as the digest has it. */
  pathA: number;
  pathB: number;
  dataA: number;
  dataB: number;
  sumA: number;
  sumB: number;
  /** Part of the write in progress; `isFresh`: created by it. */
  isTouched: boolean;
  isFresh: boolean;
  isRemoved: boolean;
  mark: Mark<Znode, ZnodeImage> | null;
}

/** Fixed costs of a znode in memory, as `DataTree.approximateBytes` counts them: node, stat, map entry, name, data view. */
const ZNODE_BYTES = 600;

/** A znode that is in no map and no sum yet. */
export function makeZnode(path: string, parent: Znode | null, image: ZnodeImage): Znode {
  return {
    path,
    parent,
    data: image.data,
    stat: image.stat,
    created: image.created,
    children: null,
    contenderFormat: image.contenderFormat,
    pathA: 0,
    pathB: 0,
    dataA: 0,
    dataB: 0,
    sumA: 0,
    sumB: 0,
    isTouched: false,
    isFresh: false,
    isRemoved: false,
    mark: null,
  };
}

export function znodeImage(node: Znode): ZnodeImage {
  const { data, stat, created, contenderFormat } = node;
  return { data, stat, created, contenderFormat };
}

/** Bytes that a znode at `path` with that much data counts for. */
export function znodeBytes(path: string, dataBytes: number): number {
  return ZNODE_BYTES + 2 * path.length + dataBytes;
}

export function hashPath(hasher: Hasher, node: Znode): void {
  hasher.begin(ITEM.znode);
  hasher.string(node.path);
  hasher.end();
  node.pathA = hasher.a;
  node.pathB = hasher.b;
}

export function hashData(hasher: Hasher, node: Znode): void {
  hasher.begin(ITEM.znode);
  hasher.bytes(node.data);
  hasher.end();
  node.dataA = hasher.a;
  node.dataB = hasher.b;
}

/** Brings the node's sum up to date; path and data must be hashed. */
export function sumZnode(hasher: Hasher, node: Znode): void {
  hasher.begin(ITEM.znode);
  hasher.word(node.pathA);
  hasher.word(node.pathB);
  hasher.word(node.dataA);
  hasher.word(node.dataB);
  hasher.number(node.created);
  hasher.word(node.contenderFormat === null ? 0 : 1);
  hashStat(hasher, node.stat);
  hasher.end();
  node.sumA = hasher.a;
  node.sumB = hasher.b;
}

/** Everything of it: for a node of which nothing is hashed yet. */
export function hashZnode(hasher: Hasher, node: Znode): void {
  hashPath(hasher, node);
  hashData(hasher, node);
  sumZnode(hasher, node);
}

/** Child count and data bytes follow from other items, and are held to those where a state is looked through as a whole. */
export function hashStat(hasher: Hasher, stat: Stat): void {
  hasher.number(stat.czxid);
  hasher.number(stat.mzxid);
  hasher.number(stat.pzxid);
  hasher.number(stat.ctimeMs);
  hasher.number(stat.mtimeMs);
  hasher.number(stat.version);
  hasher.number(stat.cversion);
  hasher.number(stat.aversion);
  hasher.number(stat.ephemeralOwner);
}
