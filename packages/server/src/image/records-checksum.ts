import { checksum } from "../storage/checksum.ts";

const encoder = new TextEncoder();

/** Checksum over keys and values in order, continuing from `start`. */
export function recordsChecksum(
  records: readonly (readonly [key: string, value: Uint8Array])[],
  start: number,
): number {
  let sum = start;
  for (const [key, value] of records) sum = checksum(value, checksum(encoder.encode(key), sum));
  return sum;
}
