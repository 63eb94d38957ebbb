import type { Files } from "../ports.ts";
import { blockBounds, type BlockBounds } from "./entry-codec.ts";
import { SECTOR_BYTES, decodeSegmentHeader, wholeSectors } from "./log-format.ts";
import { segmentNames } from "./log-replay.ts";
import { LogScanner } from "./log-scanner.ts";
import type { HardState, SnapshotMeta } from "@quorate/raft";

/** One thing found in a log; `torn` and `corrupt` are the last of their segment. */
export type LogScanItem =
  | {
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
  | {
      readonly status: "torn" | "corrupt";
      readonly segment: string;
      readonly position: number;
      readonly message: string;
    };

/**
 * Walks over a log that no node has open and changes nothing: for `dump` and `verify`. Each segment is read for itself, so
 * that what stands behind damage is shown too; whether segments follow each other only a start decides.
 */
export async function* scanLog(files: Files, directory: string): AsyncGenerator<LogScanItem> {
  for (const name of await segmentNames(files, directory)) {
    yield* scanSegment(files, directory, name);
  }
}

async function* scanSegment(
  files: Files,
  directory: string,
  name: string,
): AsyncGenerator<LogScanItem> {
  const file = await files.open(`${directory}/${name}`, { create: false, durable: false });
  try {
    const decoded = decodeSegmentHeader(await file.read(0, SECTOR_BYTES));
    if (decoded.kind !== "header" || (await file.size()) !== decoded.header.segmentBytes) {
      yield { status: "corrupt", segment: name, position: 0, message: "no whole header" };
      return;
    }
    const scanner = new LogScanner(file, decoded.header);
    for (;;) {
      const step = await scanner.next();
      if (step.kind === "end") return;
      const { position } = step;
      if (step.kind !== "record") {
        const message = step.kind === "torn" ? "an unfinished write" : step.message;
        yield { status: step.kind, segment: name, position, message };
        return;
      }
      yield {
        status: "ok",
        segment: name,
        position,
        bytes: wholeSectors(step.header.length),
        sequence: step.header.sequence,
        hardState: step.header.hardState,
        snapshot: step.body.snapshot,
        entries: blockBounds(step.body.block),
      };
    }
  } finally {
    await file.close();
  }
}
