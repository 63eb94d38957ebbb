import { crc32c } from "./crc32c.ts";

/** LevelDB stores no checksum as it is. */
const MASK = 0xa282ead8;

/** Whether bytes are those of which LevelDB stored that checksum. */
export function hasLevelChecksum(bytes: Uint8Array, stored: number): boolean {
  return isLevelChecksum(crc32c(bytes), stored);
}

/** The same of their checksum, which LevelDB does not store as it is. */
export function isLevelChecksum(crc: number, stored: number): boolean {
  const rotated = (stored - MASK) >>> 0;
  return crc === ((rotated >>> 17) | (rotated << 15)) >>> 0;
}
