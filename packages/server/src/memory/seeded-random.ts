import type { Random } from "../ports.ts";

/** Bytes that follow from a seed. */
export declare class SeededRandom implements Random {
  constructor(seed: number);
  bytes(count: number): Uint8Array;
  /** In [0, 2^32). */
  nextUint32(): number;
  /** In [0, 1). */
  nextFraction(): number;
  /** In [0, bound). */
  nextBelow(bound: number): number;
}
