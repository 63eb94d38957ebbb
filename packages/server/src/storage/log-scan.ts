import type { HardState, SnapshotMeta } from "@quorate/raft";
import type { Files, OpenFile } from "../ports.ts";
import { withDamagingReads } from "./damaging-reads.ts";
import { blockBounds, type BlockBounds } from "./entry-codec.ts";
import { SECTOR_BYTES, decodeSeal, decodeSegmentHeader, wholeSectors } from "./log-format.ts";
import { CUT_SHORT, segmentNames } from "./log-replay.ts";
import { readOnly } from "./read-only-files.ts";
import { LogScanner, type ScanStep } from "./log-scanner.ts";
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

/** One thing found in a log; `torn` and `corrupt` are the last of their segment. */
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
 * too, and each segment is held against the end of the one before it, so that one that is gone is damage as well. Fails with
 * LOG_CORRUPT where the medium does not give it back, and STORAGE_FAILED.
 */
export async function* scanLog(plainFiles: Files, directory: string): AsyncGenerator<LogScanItem> {
  const files = withDamagingReads(readOnly(plainFiles), "LOG_CORRUPT");
  const names = await segmentNames(files, directory);
  let end: LogEnd | null = null;
  for (const [at, name] of names.entries()) {
    const file = await files.open(`${directory}/${name}`, { create: false, durable: false });
    try {
      end = yield* scanSegment(file, { name, isLast: at === names.length - 1 }, end);
    } finally {
      await file.close();
    }
  }
}

/** Returns where the log ends with it; null: nobody knows. */
async function* scanSegment(
  file: OpenFile,
  { name, isLast }: { readonly name: string; readonly isLast: boolean },
  before: LogEnd | null,
): AsyncGenerator<LogScanItem, LogEnd | null> {
  const corrupt = (position: number, message: string): LogScanItem => {
    return { status: "corrupt", segment: name, position, message };
  };
  const decoded = decodeSegmentHeader(await file.read(0, SECTOR_BYTES));
  if (decoded.kind !== "header") {
    yield corrupt(0, "no whole header");
    return null;
  }
  const { header } = decoded;
  const isCutShort = (await file.size()) !== header.segmentBytes;
  const broken = before === null ? null : brokenLink(header, before);
  if (broken !== null) yield corrupt(0, broken.message);
  let { lastIndex, lastTerm } = header;
  let sequence = header.firstSequence - 1;
  let chain = header.previousChain;
  const scanner = new LogScanner(file, header);
  for (;;) {
    const step = await scanner.next();
    const { position } = step;
    if (isCutShort && step.kind !== "record") {
      yield corrupt(position, CUT_SHORT);
      return null;
    }
    if (step.kind === "corrupt") {
      yield corrupt(position, step.message);
      return null;
    }
    if (step.kind === "torn") {
      yield { status: "torn", segment: name, position, message: "an unfinished write" };
      break;
    }
    if (step.kind === "end") break;
    const item = wholeRecord(name, step);
    ({ lastIndex, lastTerm } = endOf(item) ?? { lastIndex, lastTerm });
    ({ sequence, chain } = step.header);
    yield item;
  }
  if (isLast) {
    const position = header.segmentBytes - SECTOR_BYTES;
    const seal = decodeSeal(await file.read(position, SECTOR_BYTES), header.salt);
    if (seal.kind === "sealed") yield corrupt(position, segmentGone(seal.nextSequence).message);
    if (seal.kind === "damaged") yield corrupt(position, "bytes that are no seal");
  }
  return { sequence, chain, lastIndex, lastTerm };
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
