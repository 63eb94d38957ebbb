import type { HardState, SnapshotMeta } from "@quorate/raft";
import { isDamage } from "../errors.ts";
import type { Files, OpenFile } from "../ports.ts";
import { withDamagingReads } from "./damaging-reads.ts";
import { blockBounds, type BlockBounds } from "./entry-codec.ts";
import { sizeDamage, whatIsWrong } from "./log-damage.ts";
import {
  SECTOR_BYTES,
  decodeSeal,
  decodeSegmentHeader,
  wholeSectors,
  type SegmentHeader,
} from "./log-format.ts";
import { LogScanner, type ScanStep } from "./log-scanner.ts";
import { readOnlyFiles } from "./read-only-files.ts";
import { segmentNames } from "./segment-files.ts";
import { brokenLink, segmentGone, type LogEnd } from "./segment-link.ts";

interface WholeRecord {
  readonly status: "ok";
  readonly segment: string;
  readonly position: number;
  /** On disk, padding included. */
  readonly bytes: number;
  readonly sequence: number;
  readonly hardState: HardState;
  readonly snapshot: SnapshotMeta | null;
  readonly entries: BlockBounds | null;
}

/**
 * One thing found in a log; `torn` and `corrupt` are the last of their segment, but for a segment that does not follow, and a
 * last one whose seal is damaged.
 */
export type LogScanItem =
  | WholeRecord
  | {
      readonly status: "torn" | "corrupt";
      readonly segment: string;
      readonly position: number;
      readonly message: string;
    };

/**
 * Walks over a log that no node has open and changes nothing: for `dump` and `verify`. What stands behind damage is shown
 * too, and each segment is held against the end of the one before it, so that one that is gone is damage as well, and so is
 * what the medium does not give back. Fails with LOG_CORRUPT where that is the directory, and with STORAGE_FAILED.
 */
export async function* scanLog(plainFiles: Files, directory: string): AsyncGenerator<LogScanItem> {
  const files = withDamagingReads(readOnlyFiles(plainFiles), "LOG_CORRUPT");
  const names = await segmentNames(files, directory);
  let end: LogEnd | null = null;
  for (const [at, name] of names.entries()) {
    const place: Place = { name, isLast: at === names.length - 1, position: 0 };
    try {
      const file = await files.open(`${directory}/${name}`, { create: false, durable: false });
      try {
        end = yield* scanSegment(file, place, end);
      } finally {
        await file.close();
      }
    } catch (error) {
      if (!isDamage(error)) throw error;
      yield corrupt(place, error.text);
      end = null;
    }
  }
}

/** Where in a log a scan is, for whoever has to tell what stopped it there. */
interface Place {
  readonly name: string;
  readonly isLast: boolean;
  position: number;
}

/** Returns where the log ends with it; null: nobody knows. */
async function* scanSegment(
  file: OpenFile,
  place: Place,
  before: LogEnd | null,
): AsyncGenerator<LogScanItem, LogEnd | null> {
  const decoded = decodeSegmentHeader(await file.read(0, SECTOR_BYTES));
  if (decoded.kind !== "header") {
    yield corrupt(place, "no whole header");
    return null;
  }
  const { header } = decoded;
  const broken = before === null ? null : brokenLink(header, before);
  if (broken !== null) yield corrupt(place, broken.message);
  const wrongSize = sizeDamage(await file.size(), header.segmentBytes);
  const end = yield* scanRecords(new LogScanner(file, header), header, { place, wrongSize });
  if (end === null) return null;
  if (place.isLast) {
    place.position = header.segmentBytes - SECTOR_BYTES;
    const seal = decodeSeal(await file.read(place.position, SECTOR_BYTES), header.salt);
    if (seal.kind === "sealed") yield corrupt(place, segmentGone(seal.nextSequence).message);
    if (seal.kind === "damaged") yield corrupt(place, "bytes that are no seal");
  }
  return end;
}

/** `wrongSize`: what is wrong with the file's size; it is told in place of how the records end. Null: nobody knows where. */
async function* scanRecords(
  scanner: LogScanner,
  header: SegmentHeader,
  { place, wrongSize }: { readonly place: Place; readonly wrongSize: string | null },
): AsyncGenerator<LogScanItem, LogEnd | null> {
  let { lastIndex, lastTerm } = header;
  let sequence = header.firstSequence - 1;
  let chain = header.previousChain;
  for (;;) {
    place.position = scanner.position;
    const step = await scanner.next();
    if (step.kind !== "record") {
      const wrong = wrongSize ?? whatIsWrong(step);
      if (wrong !== null) {
        yield corrupt(place, wrong);
        return null;
      }
      if (step.kind === "torn") yield tornAt(place);
      return { sequence, chain, lastIndex, lastTerm };
    }
    const item = wholeRecord(place.name, step);
    ({ lastIndex, lastTerm } = endOf(item) ?? { lastIndex, lastTerm });
    ({ sequence, chain } = step.header);
    yield item;
  }
}

function tornAt({ name: segment, position }: Place): LogScanItem {
  return { status: "torn", segment, position, message: "an unfinished write" };
}

function corrupt({ name: segment, position }: Place, message: string): LogScanItem {
  return { status: "corrupt", segment, position, message };
}

function wholeRecord(
  segment: string,
  { position, header, body }: Extract<ScanStep, { readonly kind: "record" }>,
): WholeRecord {
  return {
    status: "ok",
    segment,
    position,
    bytes: wholeSectors(header.length),
    sequence: header.sequence,
    hardState: header.hardState,
    snapshot: body.snapshot,
    entries: blockBounds(body.block),
  };
}

/** Null: the record leaves the end of the log where it was. */
function endOf({ snapshot, entries }: WholeRecord): Pick<LogEnd, "lastIndex" | "lastTerm"> | null {
  if (entries !== null) return entries;
  return snapshot === null ? null : { lastIndex: snapshot.index, lastTerm: snapshot.term };
}
