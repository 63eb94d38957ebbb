import type { SeededRandom } from "../../../packages/server/src/memory/seeded-random.ts";
import type { Profile } from "./profile.ts";
import { streamOf } from "./streams.ts";

/** Part of the runs. */
const SLOW_READS_PART = 0.4;
/** What a read takes, of what a write takes. */
const READ_SHARES = [0.01, 0.05, 0.2] as const;
const READ_MS_MAX = 2;
const SEGMENT_BYTES = [65_536, 65_536, 16_384, 8_192] as const;
/** On slower disks a leader that has to begin a small segment again and again takes longer than anybody waits for it. */
const SMALL_SEGMENT_DISK_MS = 10;
const VALUE_BYTES = [0, 0, 0, 4_096, 60_000, 60_000] as const;
/** Where clients may leave little unread: a few of their reads are not too much. */
const UNREAD_VALUE_BYTES = 2_000;
const UNREAD_BYTES_MIN = 1_000_000;
/** Where links may be narrow: one value takes a second, and not half a minute. */
const NARROW_VALUE_BYTES = 4_096;

type Size = "readMs" | "segmentBytes" | "valueBytes" | "snapshotPieceBytes";

/** What disks, files and values are like, each out of a stream of its own; the rest of the run stays as it is. */
export function drawSizes(profile: Profile): Pick<Profile, Size> {
  const { seed, diskMeanMs, unreadBytes, faults } = profile;
  const reads = streamOf(seed, "slow reads");
  const isSlow = reads.nextFraction() < SLOW_READS_PART;
  const valueBytes = Math.min(
    pick(VALUE_BYTES, streamOf(seed, "values")),
    unreadBytes < UNREAD_BYTES_MIN ? UNREAD_VALUE_BYTES : Infinity,
    faults.includes("congestion") ? NARROW_VALUE_BYTES : Infinity,
  );
  return {
    valueBytes,
    // A snapshot of large values in small pieces takes longer than anybody leads.
    snapshotPieceBytes: Math.max(profile.snapshotPieceBytes, valueBytes),
    readMs: isSlow ? Math.min(READ_MS_MAX, diskMeanMs * pick(READ_SHARES, reads)) : 0,
    segmentBytes:
      diskMeanMs > SMALL_SEGMENT_DISK_MS
        ? profile.segmentBytes
        : pick(SEGMENT_BYTES, streamOf(seed, "segments")),
  };
}

function pick(choices: readonly number[], random: SeededRandom): number {
  return choices[random.nextBelow(choices.length)] ?? 0;
}
