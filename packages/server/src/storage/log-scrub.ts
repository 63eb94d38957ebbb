import type { Files } from "../ports.ts";
import type { Consume } from "../scrub/throttle.ts";
import { whatIsWrong, type LogDamage } from "./log-damage.ts";
import { SECTOR_BYTES, decodeSeal, encodeSegmentHeader } from "./log-format.ts";
import type { LogSegment } from "./log-replay.ts";
import { LogScanner } from "./log-scanner.ts";

/**
 * Reads the segments of a log that is in use, as they are when it begins. What was compacted meanwhile (`current` does not
 * have it any more) is left out. Null: everything is what was written.
 */
export async function scrubSegments(
  files: Files,
  directory: string,
  current: () => readonly LogSegment[],
  consume: Consume,
): Promise<LogDamage | null> {
  for (const segment of [...current()]) {
    const isSealed = segment !== current().at(-1);
    const path = `${directory}/${segment.name}`;
    try {
      const damage = await scrubSegment(files, path, { ...segment }, { isSealed, consume });
      if (damage !== null && current().includes(segment)) return damage;
    } catch (error) {
      if (current().includes(segment)) throw error;
    }
  }
  return null;
}

/**
 * Reads one segment of a log that is in use, up to where its records end now: every record, and how they hang together.
 * Null: it is what was written. `isSealed`: a newer segment follows it.
 */
async function scrubSegment(
  files: Files,
  path: string,
  { name, header, end }: Readonly<LogSegment>,
  { isSealed, consume }: { readonly isSealed: boolean; readonly consume: Consume },
): Promise<LogDamage | null> {
  const file = await files.open(path, { create: false, durable: false });
  try {
    const first = await file.read(0, SECTOR_BYTES);
    const written = encodeSegmentHeader(header);
    if (first.length !== written.length || written.some((byte, at) => byte !== first[at])) {
      return damage("segment_header", name, 0, "a segment's header changed");
    }
    const scanner = new LogScanner(file, header);
    while (scanner.position < end) {
      const { position } = scanner;
      const step = await scanner.next();
      if (step.kind !== "record") {
        return damage("record", name, position, whatIsWrong(step) ?? "a record vanished");
      }
      await consume(scanner.position - position);
    }
    if (scanner.position !== end) {
      return damage("chain", name, scanner.position, "its records end elsewhere than they did");
    }
    if (!isSealed) return null;
    const sealPosition = header.segmentBytes - SECTOR_BYTES;
    const seal = decodeSeal(await file.read(sealPosition, SECTOR_BYTES), header.salt);
    // It is written after the next segment has begun, and a crash in between leaves it out for good.
    if (seal.kind !== "damaged") return null;
    return damage("segment_header", name, sealPosition, "the seal of a segment changed");
  } finally {
    await file.close();
  }
}

function damage(
  kind: LogDamage["kind"],
  segment: string,
  position: number,
  message: string,
): LogDamage {
  return { kind, segment, position, message };
}
