import { assert } from "../assert.ts";
import { SEQUENCE_DIGITS } from "../protocol/index.ts";

/** Of the znodes that stand in a lock's line. */
export const CONTENDER_PREFIX = "contender-";
/** Highest number of a sequential name: one more would break the order of names, which ZooKeeper lets happen. */
export const SEQUENCE_MAX = 2_147_483_647;

/** `prefix` and the number in {@link SEQUENCE_DIGITS}, so that names sort as numbers do. */
export function sequentialName(prefix: string, sequence: number): string {
  assert(sequence >= 0 && sequence <= SEQUENCE_MAX, "sequence_in_ten_digits");
  return prefix + String(sequence).padStart(SEQUENCE_DIGITS, "0");
}
