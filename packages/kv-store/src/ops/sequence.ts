import { assert } from "../assert.ts";

/** Highest number of a sequential name: one more would break the order of names, which ZooKeeper lets happen. */
export const SEQUENCE_MAX = 2_147_483_647;

const DIGITS = 10;

/** `prefix` and the number in ten digits, so that names sort as numbers do. */
export function sequentialName(prefix: string, sequence: number): string {
  assert(sequence >= 0 && sequence <= SEQUENCE_MAX, "sequence_in_ten_digits");
  return prefix + String(sequence).padStart(DIGITS, "0");
}
