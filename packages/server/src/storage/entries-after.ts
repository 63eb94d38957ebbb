import { logIndex, type Entry, type SnapshotMeta } from "@quorate/raft";
import { ServerError } from "../errors.ts";
import type { WriteAheadLog } from "./write-ahead-log.ts";

const READ_SLICE_BYTES = 4_194_304;

/** Whether the log goes on from `base`: without a gap, and from the same history. Fails with LOG_CORRUPT, STORAGE_FAILED. */
export async function goesOnFrom(base: SnapshotMeta, log: WriteAheadLog): Promise<boolean> {
  if (log.lastIndex < base.index || log.firstIndex > base.index + 1) return false;
  if (base.index === 0 || log.firstIndex === base.index + 1) return true;
  const at = await log.read(base.index, base.index, 1);
  return at !== null && at.entries[0]?.term === base.term;
}

/** What a log that {@link goesOnFrom} `base` holds behind it, in slices. Fails with LOG_CORRUPT, STORAGE_FAILED. */
export async function* entriesAfter(
  base: SnapshotMeta,
  log: WriteAheadLog,
): AsyncGenerator<readonly Entry[], void> {
  let next = base.index + 1;
  while (next <= log.lastIndex) {
    const slice = await log.read(logIndex(next), log.lastIndex, READ_SLICE_BYTES);
    if (slice === null || slice.entries.length === 0) {
      throw new ServerError("LOG_CORRUPT", `entry ${next} is missing in the log`);
    }
    yield slice.entries;
    next += slice.entries.length;
  }
}
