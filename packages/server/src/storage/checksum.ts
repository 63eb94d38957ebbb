import { crc32 } from "node:zlib";

/**
 * crc32 that goes on from `start`. Over no bytes it is `start`: the runtime's own function then gives 0 or `start`,
 * depending on where the empty array comes from.
 */
export function checksum(bytes: Uint8Array | string, start: number): number {
  return bytes.length === 0 ? start : crc32(bytes, start);
}
