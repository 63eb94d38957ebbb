import type { Zxid } from "./protocol/index.ts";

/** One key of the image and its value; null: the key goes. Where a key comes twice, the later record wins. */
export interface ImageRecord {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** What changed between the last completed checkpoint and `zxid`, to be drained while the tree goes on. */
export interface Checkpoint {
  /** Revision at which the state is fixed. */
  readonly zxid: Zxid | 0;
  /** Digest of the state at that revision. */
  readonly digest: string;
  /** Next records: at most `countMax`, and none after the first that reaches `bytesMax` in sum. Empty: drained. */
  next(countMax: number, bytesMax: number): readonly ImageRecord[];
  /** The host wrote everything durably. Only after `next` returned nothing. */
  complete(): void;
  /** The host gives up: everything drained counts as changed again. */
  abandon(): void;
}
