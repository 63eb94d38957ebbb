import type { Files } from "../ports.ts";
import {
  SECTOR_BYTES,
  decodeSegmentHeader,
  sequenceOfName,
  type DecodedHeader,
} from "./log-format.ts";

/** Names of segments in a directory, in the order of their records. */
export async function segmentNames(files: Files, directory: string): Promise<readonly string[]> {
  const names = await files.list(directory);
  // The digits have a fixed width, so names sort as their numbers do.
  return names.filter((name) => sequenceOfName(name) !== null).sort();
}

/** Whose a segment is and what it stands on. Fails as reading does. */
export async function readSegmentHeader(files: Files, path: string): Promise<DecodedHeader> {
  const file = await files.open(path, { create: false, durable: false });
  try {
    return decodeSegmentHeader(await file.read(0, SECTOR_BYTES));
  } finally {
    await file.close();
  }
}
