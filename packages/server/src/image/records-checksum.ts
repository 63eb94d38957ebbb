import { crc32 } from "node:zlib";

/** crc32 over keys and values in order, continuing from `start`. */
export function recordsChecksum(
  records: readonly (readonly [key: string, value: Uint8Array])[],
  start: number,
): number {
  let sum = start;
  for (const [key, value] of records) sum = crc32(value, crc32(key, sum));
  return sum;
}
